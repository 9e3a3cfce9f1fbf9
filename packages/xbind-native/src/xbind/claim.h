/* SPDX-License-Identifier: MIT */
/* claim.h - one swap of a descriptor at a time */
#ifndef XBIND_CLAIM_H
#define XBIND_CLAIM_H

#include <stdatomic.h>

struct claim {
	_Atomic int *slot; /* NULL where the claim was not to be had */
};

/**
 * claim_take() - wait until no other thread is swapping this descriptor
 * @fd: its number
 *
 * Never waits for itself: a signal handler that interrupts a swap, or a library that calls bind
 * from within one, goes on without a claim, and so does who has waited longer than any swap takes.
 * So a claim orders threads, and what must not go wrong is checked once more before the exchange.
 */
struct claim claim_take(int fd);

/* The same for a slot that the caller has, 0 at first, in place of one for a descriptor. */
struct claim claim_slot(_Atomic int *slot);

void claim_give(struct claim *claim);

#endif
