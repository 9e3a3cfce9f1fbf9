/* SPDX-License-Identifier: MIT */
#include "launch/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One line that a terminal takes for nothing else, whatever a path holds. */
static void flatten(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\177')
			*text = ' ';
	}
}

int words_fail(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return EXIT_FAILED;
	flatten(text);
	fprintf(stderr, "xsocket: %s\n", text);
	free(text);
	return EXIT_FAILED;
}
