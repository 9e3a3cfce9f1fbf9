/* SPDX-License-Identifier: MIT */
/*
 * epollset.h - registrations in epoll sets survive the replacement of their socket
 *
 * dup3(2) over a registered socket loses its registration, or leaves a ghost when another process
 * holds the old socket. So each is deleted before and added again after: epollset_detach(), dup3,
 * epollset_attach(). Nothing here waits or allocates; all of it may run in signal handlers,
 * threads and forked children.
 */
#ifndef XBIND_EPOLLSET_H
#define XBIND_EPOLLSET_H

#include "core/sys.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define EPOLLSET_MOVE_MAX 64 /* registrations of one descriptor, each in a set of its own */

struct epollset_move {
	uint64_t inode; /* of the socket that was taken out */
	size_t count;
	struct {
		int set;
		struct epoll_event event;
	} entries[EPOLLSET_MOVE_MAX];
};

/* There is a new epoll set of this number, by epoll_create(2). */
void epollset_new(int set);

/* There is an epoll set of this number, which epoll_ctl(2) was given. */
void epollset_know(int set);

/* Looks for sets that the process was started with: for the constructor. */
void epollset_load(void);

/**
 * epollset_detach() - take a socket out of every epoll set of this process
 * @fd:       the socket; stays the caller's
 * @identity: the socket's, by sys_identify()
 * @ret:      what was taken out, for epollset_attach(); written always
 *
 * A registration whose events nobody can tell is left where it is, and XBIND_LOG says so.
 *
 * Return: 0; -ENOBUFS when it is in more sets than @ret can hold, -EMFILE or -ENFILE when no
 *         descriptor is left to look with, or -errno of epoll_ctl(2) where somebody forbids it.
 *         Then it is in all of them as before.
 */
int epollset_detach(int fd, const struct sys_identity *identity, struct epollset_move *ret);

/*
 * Registers what now has the number fd, or after a failure the old socket again. Where same,
 * another number of that, is something else by then, another thread has put a file at fd, which
 * stays out.
 */
void epollset_attach(int fd, int same, const struct epollset_move *move);

#endif
