/* SPDX-License-Identifier: MIT */
#include "xbind/claim.h"

#include "xbind/lock.h"
#include "xbind/swap.h"

#include <stddef.h>

#define SLOTS 256 /* sockets with the same remainder wait for each other */

static _Atomic int slots[SLOTS];
static _Atomic unsigned begun, ended; /* swaps; equal while there is none */

static _Atomic int *slot_of(socket_key key)
{
	return &slots[key % SLOTS];
}

struct claim claim_slot(_Atomic int *slot)
{
	return (struct claim){lock_take(slot, SWAP_LONGEST_MS) ? slot : NULL};
}

struct claim claim_take(socket_key key)
{
	atomic_fetch_add(&begun, 1);
	return claim_slot(slot_of(key));
}

void claim_give(const struct claim *claim)
{
	if (claim->slot)
		lock_give(claim->slot);
}

void claim_end(const struct claim *claim)
{
	claim_give(claim);
	atomic_fetch_add(&ended, 1);
}

unsigned claim_mark(void)
{
	return atomic_load(&ended);
}

bool claim_has_run(unsigned mark)
{
	return atomic_load(&begun) != mark;
}

void claim_wait(int fd)
{
	const struct claim claim = claim_slot(slot_of(key_of(fd)));

	claim_give(&claim);
}
