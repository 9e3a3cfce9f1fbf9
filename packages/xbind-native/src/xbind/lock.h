/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a lock that a signal handler and a forked child can live with
 *
 * It is no mutex of libc: one that another thread held at fork(2) is held in the child for ever.
 * This one the child takes over, since no thread with its memory is the holder.
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
 * Return: whether we are the holder now. Not after @longest_ms, and not when this thread is it
 *         already: then we are in a signal handler, or were called from within.
 */
bool lock_take(_Atomic int *holder, int longest_ms);

void lock_give(_Atomic int *holder);

struct lock_turn {
	_Atomic int *held; /* NULL where we are not the holder */
	uint64_t signals;
};

/* lock_take() while no handler runs, until lock_leave(): one might take it as well, wait for a
 * thread that does, or never come back. */
struct lock_turn lock_enter(_Atomic int *holder, int longest_ms);
void lock_leave(const struct lock_turn *turn);

#endif
