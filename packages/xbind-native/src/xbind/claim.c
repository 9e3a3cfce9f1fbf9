/* SPDX-License-Identifier: MIT */
#include "xbind/claim.h"

#include "xbind/moved.h"

#include <stdatomic.h>

static _Atomic int slots[CLAIM_SLOTS];
static _Atomic socket_key swapped[CLAIM_SLOTS]; /* the socket that has the slot, or had it last */
static _Atomic int numbers[CLAIM_SLOTS];
static _Atomic unsigned begun, ended; /* swaps; equal while there is none */

static _Atomic int *slot_of(socket_key key)
{
	return &slots[key % CLAIM_SLOTS];
}

struct lock_turn claim_take(socket_key key)
{
	const struct lock_turn claim = lock_enter(slot_of(key), LOCK_LONGEST_MS);

	atomic_fetch_add(&begun, 1);
	if (claim.held)
		atomic_store(&swapped[key % CLAIM_SLOTS], key);
	return claim;
}

void claim_end(const struct lock_turn *claim)
{
	atomic_fetch_add(&ended, 1);
	lock_leave(claim);
}

static _Atomic int *slot_of_number(int fd)
{
	return &numbers[(unsigned)fd % CLAIM_SLOTS];
}

struct lock_turn claim_number(int fd)
{
	return lock_enter(slot_of_number(fd), LOCK_LONGEST_MS);
}

struct claim_mark claim_mark(void)
{
	return (struct claim_mark){.ended = atomic_load(&ended), .moved = moved_count()};
}

bool claim_has_run(struct claim_mark mark)
{
	return atomic_load(&begun) != mark.ended;
}

static void wait_for(_Atomic int *slot)
{
	if (lock_take(slot, LOCK_LONGEST_MS))
		lock_give(slot);
}

bool claim_wait(int fd, struct claim_mark mark)
{
	const socket_key key = key_of(fd);

	/* A swap of this socket that has not claimed it yet will see what was changed. */
	if (atomic_load(&swapped[key % CLAIM_SLOTS]) == key)
		wait_for(slot_of(key));
	/* If fd is the new socket already, its key is not the one that the swap has claimed. */
	wait_for(slot_of_number(fd));
	return moved_since(fd, mark.moved);
}
