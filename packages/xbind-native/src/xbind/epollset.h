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

#include "xbind/key.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define EPOLLSET_MOVE_MAX 64 /* registrations of one descriptor, each in a set of its own */

struct epollset_move {
	socket_key key; /* of the socket that was taken out */
	size_t count;
	struct {
		int set;
		struct epoll_event event;
	} entries[EPOLLSET_MOVE_MAX];
};

/* A new epoll set, made by epoll_create(2), has this number. */
void epollset_new(int set);

/* This number is that of an epoll set: epoll_ctl(2) was called on it. */
void epollset_know(int set);

/* Looks for epoll sets among the open descriptors: for the constructor, to find inherited ones. */
void epollset_load(void);

/**
 * epollset_detach() - take a socket out of every epoll set of this process
 * @fd:    the socket; stays the caller's
 * @key:   the socket's
 * @inode: the socket's, 0 if unknown
 * @ret:   what was taken out, for epollset_attach(); always written
 *
 * A registration whose events cannot be found out stays where it is, and XBIND_LOG says so.
 *
 * Return: 0; -ENOBUFS when it is in more sets than @ret can hold, -EMFILE, -ENFILE or -ENOMEM when
 *         no descriptor or memory is left to look with, or -errno of an epoll_ctl(2) that is
 *         forbidden. On failure too @ret has what was taken out until then.
 */
int epollset_detach(int fd, socket_key key, uint64_t inode, struct epollset_move *ret);

/*
 * Registers the socket that now has the number fd: the new one, or after a failure the old one
 * again. same is another number of that socket, or fd. If the two differ afterwards, another thread
 * has put another file at fd, and the registrations are undone.
 */
void epollset_attach(int fd, int same, const struct epollset_move *move);

#endif
