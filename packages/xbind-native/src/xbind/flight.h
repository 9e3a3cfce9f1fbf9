/* SPDX-License-Identifier: MIT */
/*
 * flight.h - descriptors that a swap has open for a while, and that no forked child is to keep
 *
 * One thread may fork(2) while another one's bind is under way. The child has all descriptors of
 * that moment, and would hold a port open by one that nobody there knows of. It still keeps one
 * that is being made or closed at that very moment.
 */
#ifndef XBIND_FLIGHT_H
#define XBIND_FLIGHT_H

#define FLIGHT_PLACES 64 /* descriptors; what is beyond stays open in such a child */

/* For the constructor. */
void flight_load(void);

/* Return: a place for flight_end(), -1 when there is none or fd is none. */
int flight_add(int fd);

/* Before the descriptor is closed: then the number may be somebody else's. */
void flight_end(const int *place);

#define CLEANUP_FLIGHT __attribute__((cleanup(flight_end)))

#endif
