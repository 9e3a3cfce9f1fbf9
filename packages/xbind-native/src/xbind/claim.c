/* SPDX-License-Identifier: MIT */
#include "xbind/claim.h"

#include "xbind/lock.h"
#include "xbind/swap.h"

#include <stddef.h>

#define SLOTS 256 /* descriptors with the same remainder wait for each other */

static _Atomic int slots[SLOTS];

struct claim claim_slot(_Atomic int *slot)
{
	return (struct claim){lock_take(slot, SWAP_LONGEST_MS) ? slot : NULL};
}

struct claim claim_take(int fd)
{
	return claim_slot(&slots[(unsigned)fd % SLOTS]);
}

void claim_give(struct claim *claim)
{
	if (claim->slot)
		lock_give(claim->slot);
}
