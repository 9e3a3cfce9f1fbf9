/* SPDX-License-Identifier: MIT */
/*
 * moved.h - which sockets are in the target namespace already
 *
 * A moved socket may have no port any more (a datagram socket after connect(2) to AF_UNSPEC, a
 * listener after shutdown(2), one that was bound to an address alone). It must not move a second
 * time: it would lose what it has received, and the records of its options are gone.
 */
#ifndef XBIND_MOVED_H
#define XBIND_MOVED_H

#include "xbind/key.h"

#include <stdbool.h>

#define MOVED_SOCKETS 1024 /* beyond that a new one replaces the oldest */
#define MOVED_NUMBERS 1024 /* descriptor numbers that are equal modulo this share a place */

/* Notes that the socket of this key has moved, and has this number of the program. */
void moved_note(socket_key key, int fd);
bool moved_is(socket_key key);

/* How many notes there have been. */
unsigned moved_count(void);

/* Has this number been given a moved socket since moved_count() returned before? */
bool moved_since(int fd, unsigned before);

#endif
