/* SPDX-License-Identifier: MIT */
#include "launch/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARENT     "PPid:\t"
#define LINE_BYTES 256
#define PATH_BYTES (LINE_BYTES + 16) /* "/proc/" and "/environ" about the number in a line */

/* Numbers are read without strtol(3) and scanf(3): compiled against glibc 2.38 or newer, these
 * would need that version to run. */
static const char HEX[] = "0123456789abcdef";
static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,";

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t length = name_length(a);

	return length == name_length(b) && memcmp(a, b, length) == 0;
}

static void print_word(char sign, const char *text, size_t length)
{
	printf("%c", sign);
	for (size_t i = 0; i < length; i++) {
		if (strchr(PLAIN, text[i]))
			putchar(text[i]);
		else
			printf("%%%02x", (unsigned char)text[i]);
	}
	putchar(' ');
}

/* parent: NUL-ended strings, as the kernel lays an environment out. There may be none: the shell
 * may have been started without any environment. */
static void print_difference(FILE *parent)
{
	size_t count = 0, room = 0;
	char *entry = NULL;

	while (environ[count])
		count++;
	bool *named = calloc(count + 1, sizeof(*named)); /* ours that the parent has, too */
	while (named && getdelim(&entry, &room, '\0', parent) > 0) {
		bool is_ours = false;

		for (size_t i = 0; i < count; i++) {
			named[i] = named[i] || same_name(environ[i], entry);
			is_ours = is_ours || strcmp(environ[i], entry) == 0;
		}
		if (!is_ours)
			print_word('+', entry, strlen(entry));
	}
	/* Unless all was read, nobody knows what else the parent has. */
	for (size_t i = 0; feof(parent) && i < count; i++) {
		if (!named[i])
			print_word('-', environ[i], name_length(environ[i]));
	}
	free(entry);
	free(named);
}

/* That of our parent, by its process id in /proc: a sandbox may have mounted the /proc of another
 * PID namespace, where the id that getppid(2) gives is another process. NULL when it cannot be
 * read. */
static FILE *parent_environment(void)
{
	char line[LINE_BYTES], path[PATH_BYTES] = "";
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		return NULL;
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, PARENT, strlen(PARENT)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/proc/%s/environ", line + strlen(PARENT));
	}
	fclose(status);
	return fopen(path, "re");
}

void environment_print_difference(void)
{
	FILE *parent = parent_environment();

	if (!parent)
		return;
	print_difference(parent);
	fclose(parent);
}

static int digit(char c)
{
	const char *at = strchr(HEX, c);

	return at ? (int)(at - HEX) : 0;
}

/* Decodes %XX in place. */
static void decode(char *word)
{
	char *out = word;

	while (*word) {
		if (*word == '%' && word[1] && word[2]) {
			*out++ = (char)(digit(word[1]) << 4 | digit(word[2]));
			word += 3;
		} else {
			*out++ = *word++;
		}
	}
	*out = '\0';
}

static void drop(const char *name)
{
	char **kept = environ;

	for (char **entry = environ; *entry; entry++) {
		if (!same_name(*entry, name))
			*kept++ = *entry;
	}
	*kept = NULL;
}

int environment_set(char *assignment)
{
	static char **ours;
	size_t count = 0;

	drop(assignment);
	while (environ[count])
		count++;

	/* Never setenv(3): it refuses names that execve(2) takes. */
	char **grown = calloc(count + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memcpy(grown, environ, count * sizeof(*grown));
	grown[count] = assignment;
	environ = grown;
	free(ours);
	ours = grown;
	return 0;
}

int environment_apply_difference(char *difference)
{
	char *rest = NULL;

	for (char *word = strtok_r(difference, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		decode(word);
		if (word[0] == '-') {
			drop(word + 1);
			continue;
		}
		int rc = environment_set(word + 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}
