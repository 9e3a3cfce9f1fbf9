/* SPDX-License-Identifier: MIT */
/* claim.h - one swap of a socket at a time, and whether another call overlapped with one */
#ifndef XBIND_CLAIM_H
#define XBIND_CLAIM_H

#include "xbind/key.h"
#include "xbind/lock.h"

#include <stdbool.h>

#define CLAIM_SLOTS 256 /* sockets, or numbers, with the same remainder take turns */

/**
 * claim_take() - wait until no other thread is swapping this socket, under whatever number
 * @key: the socket's
 *
 * No handler runs until claim_end(): it could leave the swap by siglongjmp(3), with the claim and
 * what is open, or begin a second one for which another thread's handler waits.
 *
 * A thread never waits for itself: a library that calls bind from within a swap, or a handler of
 * a fault that does, goes on without a claim, and so does a thread that has waited longer than any
 * swap takes. So a claim only orders threads; what must not go wrong is checked again before
 * the exchange.
 */
struct lock_turn claim_take(socket_key key);

/* The swap is over. */
void claim_end(const struct lock_turn *claim);

/*
 * The same for the moment in which another socket takes a number, until lock_leave(). Within it
 * nobody waits for another number or for a socket.
 */
struct lock_turn claim_number(int fd);

/*
 * To other threads a swap has to look like bind(2), during which nobody can change the socket. So a
 * call that changes one takes a mark before. When a swap has run since, claim_wait() tells whether
 * the call went to the old socket and has to be made again on the new one. In the child of a
 * fork(2) within a swap one seems to run for ever, which only costs time.
 */
struct claim_mark {
	unsigned ended; /* swaps */
	unsigned moved; /* numbers of sockets */
};
struct claim_mark claim_mark(void);
bool claim_has_run(struct claim_mark mark);

/* Waits until it is over. Return: whether the number has got another socket since the mark. */
bool claim_wait(int fd, struct claim_mark mark);

#endif
