/* SPDX-License-Identifier: MIT */
/*
 * claim.c - who is swapping which descriptor
 *
 * How it works: a slot holds the thread that works on a descriptor number. It is no mutex of libc,
 * since those may not be taken in a signal handler, and one that another thread held at fork(2) is
 * held in the child for ever. Here the child finds that no thread of its own holds the slot.
 */
#include "xbind/claim.h"

#include "core/sys.h"
#include "xbind/swap.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

#define SLOTS   256 /* descriptors with the same remainder wait for each other */
#define STEP_MS 1   /* milliseconds between two looks at a taken slot */

static _Atomic int slots[SLOTS];

static int thread_id(void)
{
	return (int)sys_call(SYS_gettid, (const long[6]){0});
}

static bool is_ours(int thread)
{
	long process = sys_call(SYS_getpid, (const long[6]){0});

	return sys_call(SYS_tgkill, (const long[6]){process, thread, 0}) != -ESRCH;
}

struct claim claim_slot(_Atomic int *slot)
{
	int self = thread_id();

	for (int waited = 0; waited < SWAP_LONGEST_MS; waited += STEP_MS) {
		int holder = 0;

		if (atomic_compare_exchange_strong(slot, &holder, self))
			return (struct claim){slot};
		if (holder == self)
			break;
		if (!is_ours(holder) && atomic_compare_exchange_strong(slot, &holder, self))
			return (struct claim){slot};
		sys_poll(-1, 0, STEP_MS);
	}
	return (struct claim){NULL};
}

struct claim claim_take(int fd)
{
	return claim_slot(&slots[(unsigned)fd % SLOTS]);
}

void claim_give(struct claim *claim)
{
	if (claim->slot)
		atomic_store(claim->slot, 0);
}
