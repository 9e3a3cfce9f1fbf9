/* SPDX-License-Identifier: MIT */
#include "launch/words.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* U+0080 to U+009F mean ESC and a letter to a terminal. In UTF-8 they are 0xc2 and that byte. */
static bool is_wide_control(const char *text)
{
	return (unsigned char)text[0] == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80;
}

/* Makes it one line without controls of the terminal, whatever a path holds. */
static void flatten(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '\177')
			*text = ' ';
		else if (is_wide_control(text))
			text[0] = text[1] = ' ';
	}
}

void words_stream(char *ret)
{
	struct stat status = {0};

	fstat(STDERR_FILENO, &status);
	snprintf(ret, WORDS_STREAM_BYTES, "JOURNAL_STREAM=%ju:%ju", (uintmax_t)status.st_dev,
	         (uintmax_t)status.st_ino);
}

bool words_for_journal(void)
{
	char stream[WORDS_STREAM_BYTES];
	const char *journal = getenv("JOURNAL_STREAM");

	words_stream(stream);
	return journal && strcmp(strchr(stream, '=') + 1, journal) == 0;
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
	/* A file that may not grow (ulimit -f) must not change the exit code. */
	signal(SIGXFSZ, SIG_IGN);
	fprintf(stderr, "%sxsocket: %s\n", words_for_journal() ? "<3>" : "", text);
	free(text);
	return EXIT_FAILED;
}
