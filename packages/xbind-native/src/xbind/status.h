/* SPDX-License-Identifier: MIT */
/* status.h - what a program has told its descriptor, apart from the options of the socket */
#ifndef XBIND_STATUS_H
#define XBIND_STATUS_H

#include "xbind/kind.h"

/**
 * status_carry() - flags, owner and signal of the open file, owner and mode of the inode
 * @old: the program's socket; stays as it is
 * @to:  the new socket
 *
 * O_ASYNC is left for status_async(): the kernel keeps the number of the descriptor that it was set
 * on, and reports that one with the signal.
 *
 * Return: the status flags of @old (F_GETFL), -errno when they cannot be read or set.
 */
int status_carry(int old, int to);

/**
 * status_shut() - shutdown(2), which counts even when it says ENOTCONN
 * @old:  the program's socket, unbound; stays as it is
 * @to:   the new socket, before it listens: that would end with it
 * @kind: of both
 */
void status_shut(int old, int to, const struct kind *kind);

/* Turns O_ASYNC off, so that no signal tells of a socket that another process keeps. */
void status_quiet(int fd, int flags);

/* Turns O_ASYNC on when flags have it, after the descriptor has its final number. */
void status_async(int fd, int flags);

#endif
