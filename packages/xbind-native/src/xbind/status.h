/* SPDX-License-Identifier: MIT */
/* status.h - what a socket has besides options: flags and owners of the file, and shutdown(2) */
#ifndef XBIND_STATUS_H
#define XBIND_STATUS_H

#include "xbind/key.h"
#include "xbind/kind.h"

/**
 * status_carry() - copy the flags, owner and signal of the open file (F_SETFL, F_SETOWN, F_SETSIG)
 * @old: the program's socket; stays as it is
 * @to:  the new socket
 *
 * O_ASYNC is left for status_async(): the kernel keeps the number of the descriptor that it was set
 * on, and reports that one with the signal.
 *
 * Return: the status flags of @old (F_GETFL), -errno when they cannot be read or set. A failure of
 *         anything else is only logged.
 */
int status_carry(int old, int to);

/**
 * status_prepare() - copy what must be in place before the new socket is bound
 * @old:  the program's socket, unbound; stays as it is
 * @to:   the new socket, before it is bound and listens
 * @kind: of both
 * @key:  of @old
 *
 * That is the inode's mode and owner, since bind(2) compares the uids of sockets that share a port
 * by SO_REUSEPORT. And it is the effect of shutdown(2), which lasts even if the call failed with
 * ENOTCONN, and would end a socket that listens already. A failure is only logged.
 */
void status_prepare(int old, int to, const struct kind *kind, socket_key key);

/* Turns O_ASYNC off, so that the old socket sends no signals where another process keeps it. */
void status_quiet(int fd, int flags);

/* Turns O_ASYNC on when flags have it, once the descriptor has its final number. */
void status_async(int fd, int flags);

#endif
