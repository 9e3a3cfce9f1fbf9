/* SPDX-License-Identifier: MIT */
/* difference.c - print how two traces differ */
#include "differ/differ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prints the words of a line that the other line does not have. */
static void show_words(const char *who, const char *line, const char *other)
{
	char *copy = strdup(line), *words = strdup(other), *next;
	char *word;

	for (word = strtok_r(copy, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
		if (*other && !strstr(words, word))
			printf("      %s %s\n", who, word);
	}
	free(copy);
	free(words);
}

/* Equal lines are printed truncated, and differing ones with the words that differ. */
void show_difference(char *plain, char *preloaded, bool whole)
{
	char *next_a, *next_b;
	char *a = strtok_r(plain, "\n", &next_a), *b = strtok_r(preloaded, "\n", &next_b);

	while (a || b) {
		if (a && b && strcmp(a, b) == 0) {
			if (whole)
				printf("  %.200s\n", a);
		} else {
			printf("< %.900s\n> %.900s\n", a ? a : "", b ? b : "");
			show_words("<", a ? a : "", b ? b : "");
			show_words(">", b ? b : "", a ? a : "");
			if (!whole)
				return;
		}
		a = a ? strtok_r(NULL, "\n", &next_a) : NULL;
		b = b ? strtok_r(NULL, "\n", &next_b) : NULL;
	}
}
