/* SPDX-License-Identifier: MIT */
/* fd.h - descriptors owned by scope */
#ifndef CORE_FD_H
#define CORE_FD_H

#include "core/sys.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/* Closes the descriptor in *fd when it leaves its scope; errno is kept. */
static inline void fd_cleanup(const int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
}

#define CLEANUP_CLOSE __attribute__((cleanup(fd_cleanup)))

/* Moves a descriptor out of its slot, which then holds -1. */
static inline int take_fd(int *slot)
{
	int fd = *slot;

	*slot = -1;
	return fd;
}

/*
 * Moves a descriptor with a number from 0 to 2 to a higher one, close-on-exec: a program that has
 * closed its standard error may still write to number 2. Where no number is left it stays.
 */
static inline int fd_beyond_standard(int fd)
{
	int beyond = -1;

	if (fd >= 0 && fd <= STDERR_FILENO)
		beyond = sys_fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (beyond < 0)
		return fd;
	sys_close(fd);
	return beyond;
}

/* Turns O_NONBLOCK on or off. Return: 0 or -errno. */
static inline int fd_set_nonblocking(int fd, bool nonblocking)
{
	int flags = sys_fcntl(fd, F_GETFL, 0);

	if (flags < 0 || !(flags & O_NONBLOCK) == !nonblocking)
		return flags < 0 ? flags : 0;
	return sys_fcntl(fd, F_SETFL, flags ^ O_NONBLOCK);
}

#endif
