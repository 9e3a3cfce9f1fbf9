/* SPDX-License-Identifier: MIT */
/*
 * copies.h - descriptors that are copies of a socket, by dup(2) and the like, follow it
 *
 * copies_watch(), dup3(2) over the socket, copies_replace().
 */
#ifndef XBIND_COPIES_H
#define XBIND_COPIES_H

#include "core/sys.h"

struct copies {
	int watch; /* epoll set that sees the old socket while anybody holds it; -1 for none */
	struct sys_identity old;
};

/**
 * copies_watch() - prepare to tell whether a socket has copies
 * @fd:       the socket, before it is replaced; stays the caller's
 * @identity: the socket's, by sys_identify()
 * @ret:      for copies_replace() or copies_drop(), one of which must follow
 */
void copies_watch(int fd, const struct sys_identity *identity, struct copies *ret);

/* The socket was not replaced after all. */
void copies_drop(struct copies *copies);

/**
 * copies_replace() - let the copies follow the replaced socket, with their epoll registrations
 * @copies: from copies_watch()
 * @fd:     the new socket, under whatever number; stays the caller's
 *
 * Takes constant time when no copy exists; else a system call for each descriptor number. Copies
 * in other processes are out of reach.
 */
void copies_replace(struct copies *copies, int fd);

#endif
