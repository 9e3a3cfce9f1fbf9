/* SPDX-License-Identifier: MIT */
/* signals.h - keeping signal handlers from running in this thread for a while */
#ifndef XBIND_SIGNALS_H
#define XBIND_SIGNALS_H

#include <stdint.h>

/*
 * Blocks the signals of this thread, except those of faults (SIGSEGV, SIGSYS and the like), and
 * SIGINT, SIGTERM and the like where they have their default action.
 * Return: the mask for signals_restore().
 */
uint64_t signals_block(void);
void signals_restore(uint64_t mask);

/* Discards this signal, which is blocked, if it is pending. */
void signals_drop(int number);

#endif
