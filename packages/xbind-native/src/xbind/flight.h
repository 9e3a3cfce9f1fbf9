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

/* Return: a place for flight_end(), -1 when all are taken or fd is not open. */
int flight_add(int fd);

/* To be called before the descriptor is closed: after that, its number may be reused. */
void flight_end(const int *place);

#define CLEANUP_FLIGHT __attribute__((cleanup(flight_end)))

#endif
