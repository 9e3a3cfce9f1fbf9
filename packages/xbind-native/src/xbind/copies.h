/* SPDX-License-Identifier: MIT */
/*
 * copies.h - descriptors that are copies of a socket, by dup(2) and the like, follow it
 *
 * copies_watch(), dup3(2) over the socket, copies_look(), copies_replace().
 */
#ifndef XBIND_COPIES_H
#define XBIND_COPIES_H

#include "core/sys.h"

#include <stdbool.h>

struct copies {
	int watch;  /* epoll set that sees the old socket while anybody holds it; -1 for none */
	bool exist; /* as far as the watch could tell */
	struct sys_identity old;
};

/**
 * copies_watch() - prepare to tell whether a socket has copies
 * @fd:       the socket, before it is replaced; stays the caller's
 * @identity: the socket's, by sys_identify()
 * @ret:      for copies_look(), which must follow
 */
void copies_watch(int fd, const struct sys_identity *identity, struct copies *ret);

/* Looks once dup3(2) is done, well or not, and ends the watch: it takes the room of a registration,
 * and epoll sets have only so much for each user. */
void copies_look(struct copies *copies);

/**
 * copies_replace() - let the copies follow the replaced socket, with their epoll registrations
 * @copies: from copies_look()
 * @fd:     the new socket, under whatever number; stays the caller's
 *
 * Takes constant time when no copy exists; else a system call for each descriptor number. Copies
 * in other processes are out of reach.
 */
void copies_replace(const struct copies *copies, int fd);

#endif
