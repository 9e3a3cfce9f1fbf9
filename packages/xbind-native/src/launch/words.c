/* SPDX-License-Identifier: MIT */
#include "launch/words.h"

#include <stdarg.h>
#include <stdio.h>

int words_fail(const char *format, ...)
{
	va_list args;

	fputs("xsocket: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILED;
}
