/* SPDX-License-Identifier: MIT */
#include "xbind/line.h"

#include "core/number.h"
#include "core/sys.h"
#include "xbind/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

static void put(struct line *line, char c)
{
	if (line->len < sizeof(line->text) - 1) /* one is the newline's */
		line->text[line->len++] = c;
}

void line_text(struct line *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

void line_number(struct line *line, long number)
{
	unsigned long absolute = number < 0 ? 0UL - (unsigned long)number : (unsigned long)number;
	char digits[NUMBER_DIGITS];
	size_t count = number_write(absolute, digits);

	if (number < 0)
		put(line, '-');
	for (size_t i = 0; i < count; i++)
		put(line, digits[i]);
}

void line_word(struct line *line, const char *word, size_t len)
{
	for (size_t i = 0; i < len && i < LINE_WORD_BYTES; i++) {
		unsigned char c = (unsigned char)word[i];

		put(line, c < 0x20 || c >= 0x7f ? '?' : (char)c);
	}
	if (len > LINE_WORD_BYTES)
		line_text(line, "...");
}

/* What a failed handover can meet. strerrorname_np(3) is glibc's alone. */
#define NAME(error) {error, #error}
static const struct {
	int number;
	const char *name;
} error_names[] = {
    NAME(EPERM),           NAME(ENOENT),        NAME(EINTR),
    NAME(EBADF),           NAME(EAGAIN),        NAME(ENOMEM),
    NAME(EACCES),          NAME(EFAULT),        NAME(EBUSY),
    NAME(ENODEV),          NAME(ENOTDIR),       NAME(EINVAL),
    NAME(ENFILE),          NAME(EMFILE),        NAME(EPIPE),
    NAME(ENAMETOOLONG),    NAME(ENOSYS),        NAME(ELOOP),
    NAME(EPROTO),          NAME(EBADMSG),       NAME(ENOTSOCK),
    NAME(EPROTOTYPE),      NAME(ENOPROTOOPT),   NAME(EPROTONOSUPPORT),
    NAME(ESOCKTNOSUPPORT), NAME(EOPNOTSUPP),    NAME(EAFNOSUPPORT),
    NAME(EADDRINUSE),      NAME(EADDRNOTAVAIL), NAME(ENETDOWN),
    NAME(ENETUNREACH),     NAME(ECONNABORTED),  NAME(ECONNRESET),
    NAME(ENOBUFS),         NAME(EISCONN),       NAME(ENOTCONN),
    NAME(ETIMEDOUT),       NAME(ECONNREFUSED),  NAME(EHOSTUNREACH),
    NAME(ETOOMANYREFS),    NAME(EDOM),          NAME(ENOSPC),
};

void line_error(struct line *line, int error)
{
	const int number = -error;

	line_text(line, ": ");
	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++) {
		if (error_names[i].number != number)
			continue;
		line_text(line, error_names[i].name);
		line_text(line, " (error ");
		line_number(line, number);
		put(line, ')');
		return;
	}
	line_text(line, "error ");
	line_number(line, number);
}

void line_start(struct line *line)
{
	line->len = 0;
	line_text(line, "libxbind[");
	line_number(line, sys_getpid());
	line_text(line, "]: ");
}

/*
 * Writing to a file that may not grow any more also raises SIGXFSZ, and to a pipe that has just
 * lost its reader SIGPIPE. Either could kill the program.
 */
static void write_file(const struct line *line, int fd)
{
	const uint64_t signals = signals_block();
	const long rc = sys_write(fd, line->text, line->len);

	if (rc == -EFBIG)
		signals_drop(SIGXFSZ);
	if (rc == -EPIPE)
		signals_drop(SIGPIPE);
	signals_restore(signals);
}

void line_write(struct line *line, int fd)
{
	int ready = sys_poll(fd, POLLOUT, 0);
	long rc;

	if (ready < 0 || !(ready & POLLOUT) || (ready & (POLLERR | POLLHUP | POLLNVAL)))
		return;
	line->text[line->len++] = '\n';
	/* poll(2) does not show that a socket is shut for writing; write(2) would raise SIGPIPE. */
	rc = sys_sendto(fd, line->text, line->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (rc < 0 && rc != -EAGAIN && rc != -EPIPE)
		write_file(line, fd); /* not a socket */
}
