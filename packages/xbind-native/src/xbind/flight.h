/* SPDX-License-Identifier: MIT */
/*
 * flight.h - temporary descriptors of a swap, closed in a forked child
 *
 * A thread may fork(2) during another thread's bind. The child inherits the descriptors of that
 * bind, and would hold a port open by one that nothing there knows of. One that is being opened or
 * closed at that very moment is still inherited.
 */
#ifndef XBIND_FLIGHT_H
#define XBIND_FLIGHT_H

#define FLIGHT_PLACES 64 /* descriptors; what is beyond stays open in such a child */

/* For the constructor. */
void flight_load(void);

/* Return: fd, which may be -errno; it stays the caller's. */
int flight_add(int fd);

/* Closes the descriptor in its slot, which then holds -1. By the thread that has added it. */
void flight_close(int *slot);

#define CLEANUP_FLIGHT __attribute__((cleanup(flight_close)))

#endif
