/* SPDX-License-Identifier: MIT */
/*
 * procfs.c - files of /proc/thread-self, read without stdio
 *
 * Not /proc/self, except for the list of threads: the first thread of a process may have ended, and
 * a thread may have a descriptor table of its own.
 */
#include "xbind/procfs.h"

#include "core/fd.h"
#include "core/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define THREAD_SELF     "/proc/thread-self/"
#define CHUNK_BYTES     1024 /* a small stack may be all that there is */
#define LINE_BYTES      160  /* the lines looked for are half as long */
#define PATH_BYTES      64
#define DIRECTORY_BYTES 2048

/* What getdents64(2) gives: not every libc has a name for it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t bytes; /* to the next one */
	uint8_t type;
	char name[];
};

/* Reads a file line by line. */
struct reader {
	int fd;
	size_t next, end; /* of the chunk */
	char chunk[CHUNK_BYTES];
	char line[LINE_BYTES]; /* what does not fit is left out */
};

/* Return: 1 for a line, 0 at the end of the file, else what read(2) gave. */
static int read_line(struct reader *reader)
{
	size_t len = 0;

	for (;;) {
		char c;

		if (reader->next == reader->end) {
			long n = sys_read(reader->fd, reader->chunk, sizeof(reader->chunk));

			if (n <= 0)
				return (int)n;
			reader->next = 0;
			reader->end = (size_t)n;
		}
		c = reader->chunk[reader->next++];
		if (c == '\n')
			break;
		if (len < sizeof(reader->line) - 1)
			reader->line[len++] = c;
	}
	reader->line[len] = '\0';
	return 1;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* The number behind a name such as "events:"; false when the line has none. */
static bool field(const char *line, const char *name, unsigned base, uint64_t *ret)
{
	const char *at = strstr(line, name);
	uint64_t value = 0;
	bool any = false;

	if (!at)
		return false;
	at += strlen(name);
	while (*at == ' ' || *at == '\t')
		at++;
	for (; (unsigned)digit(*at) < base; at++, any = true)
		value = value * base + (unsigned)digit(*at);
	*ret = value;
	return any;
}

static int open_fdinfo(int fd)
{
	char path[PATH_BYTES] = THREAD_SELF "fdinfo/";

	number_write((unsigned long)fd, path + strlen(path));
	return sys_open_proc(path, 0);
}

/* "tfd:        5 events:       19 data:                5  pos:0 ino:2fb6 sdev:8" */
static bool parse_registration(const char *line, int fd, uint64_t inode, struct epoll_event *ret)
{
	uint64_t tfd, events, data, ino;

	if (!field(line, "tfd:", 10, &tfd) || tfd != (uint64_t)fd)
		return false;
	if (!field(line, "events:", 16, &events) || !field(line, "data:", 16, &data))
		return false;
	if (inode != 0 && field(line, "ino:", 16, &ino) && ino != inode)
		return false;
	*ret = (struct epoll_event){.events = (uint32_t)events, .data.u64 = data};
	return true;
}

int procfs_registration(int set, int fd, uint64_t inode, struct epoll_event *ret)
{
	CLEANUP_CLOSE int file = open_fdinfo(set);
	struct reader reader = {.fd = file};
	int rc;

	if (file < 0)
		return file;
	while ((rc = read_line(&reader)) > 0) {
		if (parse_registration(reader.line, fd, inode, ret))
			return 0;
	}
	return rc < 0 ? rc : -ESRCH;
}

int procfs_fd_end(void)
{
	CLEANUP_CLOSE int file = sys_open_proc(THREAD_SELF "status", 0);
	struct reader reader = {.fd = file};
	uint64_t end;
	int rc;

	if (file < 0)
		return file;
	while ((rc = read_line(&reader)) > 0) {
		if (strncmp(reader.line, "FDSize:", 7) == 0 &&
		    field(reader.line, "FDSize:", 10, &end))
			return (int)end;
	}
	return rc < 0 ? rc : -ESRCH;
}

/* Calls visit for each name that is a number. */
static int each_number(const char *path, bool (*visit)(int number, int context), int context)
{
	CLEANUP_CLOSE int dir = sys_open_proc(path, O_DIRECTORY);
	union {
		struct entry align;
		char bytes[DIRECTORY_BYTES];
	} buf;
	uint64_t number;
	long len;

	if (dir < 0)
		return dir;
	while ((len = SYS_CALL(SYS_getdents64, dir, (long)&buf, sizeof(buf))) > 0) {
		for (long at = 0; at < len;) {
			const struct entry *entry = (const void *)(buf.bytes + at);

			if (field(entry->name, "", 10, &number) && visit((int)number, context))
				return 1;
			at += entry->bytes;
		}
	}
	return (int)len;
}

int procfs_each_fd(bool (*visit)(int fd, int context), int context)
{
	return each_number(THREAD_SELF "fd", visit, context);
}

int procfs_each_thread(bool (*visit)(int thread, int context), int context)
{
	return each_number("/proc/self/task", visit, context);
}
