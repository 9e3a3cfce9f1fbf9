/* SPDX-License-Identifier: MIT */
/* claim.h - at most one swap of a socket at a time, and how other calls notice one */
#ifndef XBIND_CLAIM_H
#define XBIND_CLAIM_H

#include "xbind/key.h"
#include "xbind/lock.h"

#include <stdbool.h>

#define CLAIM_SLOTS 256 /* sockets, or numbers, that are equal modulo this share a lock */

/**
 * claim_take() - wait until no other thread is swapping this socket, under whatever number
 * @key: the socket's
 *
 * Signals are blocked until claim_end(). A handler could leave the swap by siglongjmp(3) and so
 * leak the claim and open descriptors, or start a second swap and deadlock with a handler in
 * another thread.
 *
 * A claim orders threads but is no guarantee. A thread never waits for itself: a bind called from
 * within a swap (by another library, or by the handler of a fault) goes on without a claim. So does
 * a thread that has waited for LOCK_LONGEST_MS. Hence whatever must hold is checked again before
 * the exchange.
 */
struct lock_turn claim_take(socket_key key);

/* The swap is over. */
void claim_end(const struct lock_turn *claim);

/*
 * The same for a descriptor number, held until lock_leave() while another socket takes that number.
 * Its holder must not wait for another number or for a socket.
 */
struct lock_turn claim_number(int fd);

/*
 * The kernel locks a socket during bind(2), so no other thread can change it meanwhile. A swap must
 * look the same: a call that changes a socket takes a mark first, and if a swap has run since,
 * claim_wait() tells whether the call reached the old socket and has to be repeated on the new one.
 * In a child that was forked during a swap, one seems to run for ever, which only costs time.
 */
struct claim_mark {
	unsigned ended; /* swaps that have ended */
	unsigned moved; /* moved_count() */
};
struct claim_mark claim_mark(void);
bool claim_has_run(struct claim_mark mark);

/* Waits until a swap of this socket is over. Return: whether fd has been given a new socket since
 * the mark. */
bool claim_wait(int fd, struct claim_mark mark);

#endif
