/* SPDX-License-Identifier: MIT */
/*
 * moved.h - which sockets are in the target namespace already
 *
 * One that has lost its port again (a datagram socket by connect(2) to AF_UNSPEC, a listener by
 * shutdown(2), one that was bound to an address alone) need not move a second time: it would lose
 * what it has received, and what was recorded of its options is gone.
 */
#ifndef XBIND_MOVED_H
#define XBIND_MOVED_H

#include "xbind/key.h"

#include <stdbool.h>

#define MOVED_SOCKETS 1024 /* past that a new one takes the place of the first */
#define MOVED_NUMBERS 1024 /* past that, two descriptor numbers have one place */

/* The socket of this key is there, and has this number of the program's. */
void moved_note(socket_key key, int fd);
bool moved_is(socket_key key);

/* How many notes there have been. */
unsigned moved_count(void);

/* Has this number got another socket since moved_count() was that? */
bool moved_since(int fd, unsigned before);

#endif
