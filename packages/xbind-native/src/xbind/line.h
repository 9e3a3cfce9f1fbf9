/* SPDX-License-Identifier: MIT */
/* line.h - one line of text, made without stdio, locale or allocation, and written at once */
#ifndef XBIND_LINE_H
#define XBIND_LINE_H

#include <stddef.h>

#define LINE_BYTES      512 /* longest line with its newline; what does not fit is left out */
#define LINE_WORD_BYTES 128 /* longest quoted word; the rest is shown as "..." */

struct line {
	char text[LINE_BYTES];
	size_t len; /* bytes in use */
};

/* A line that starts with "libxbind[PID]: ". */
void line_start(struct line *line);
void line_text(struct line *line, const char *text);
void line_number(struct line *line, long number);

/* Text from outside: control characters, which could steer a terminal, become '?'. */
void line_word(struct line *line, const char *word, size_t len);

/* ": ENOENT (error 2)" for -2; a number that is not in the table stands alone. */
void line_error(struct line *line, int error);

/**
 * line_write() - end the line and write it
 * @fd: where to; stays the caller's
 *
 * One write(2) or sendto(2), so that lines of threads and processes do not mix. The line is dropped
 * when the descriptor is closed, would block or has lost its reader: logging must neither block the
 * program nor kill it by SIGPIPE. errno is untouched.
 */
void line_write(struct line *line, int fd);

#endif
