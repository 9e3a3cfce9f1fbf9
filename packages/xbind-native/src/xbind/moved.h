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

#define MOVED_SOCKETS 1024 /* past that a new one takes the place of another */

void moved_note(socket_key key);
bool moved_is(socket_key key);

/* How many notes there have been. */
unsigned moved_count(void);

/* Has it moved since there were so many? */
bool moved_since(socket_key key, unsigned before);

#endif
