/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a lock that a signal handler and a forked child can live with
 *
 * A libc mutex that another thread held at fork(2) stays locked in the child for ever. This lock
 * stores the thread id of its holder, so the child can tell that no thread with its memory has it,
 * and takes it over.
 */
#ifndef XBIND_LOCK_H
#define XBIND_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOCK_LONGEST_MS 20000 /* milliseconds; nobody waits longer for another's swap */

/**
 * lock_take() - become the holder
 * @holder:     0 while nobody is
 * @longest_ms: when to give up, in milliseconds
 *
 * Return: whether the caller has just become the holder. It has not after @longest_ms, or when this
 *         thread held the lock already: then it is in a signal handler, or was called from within.
 */
bool lock_take(_Atomic int *holder, int longest_ms);

void lock_give(_Atomic int *holder);

struct lock_turn {
	_Atomic int *held; /* NULL where we are not the holder */
	uint64_t signals;
	int cancellation; /* pthread_setcancelstate(3) as it was */
};

/* lock_take() with signals blocked until lock_leave(): a handler might take the lock as well, wait
 * for a thread that wants it, or never return. Nor is the thread cancelled: a function that another
 * library puts in the place of libc's may be a cancellation point. */
struct lock_turn lock_enter(_Atomic int *holder, int longest_ms);
void lock_leave(const struct lock_turn *turn);

#endif
