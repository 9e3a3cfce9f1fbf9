/* SPDX-License-Identifier: MIT */
/*
 * shut.h - which sockets were shut for writing before they had a port
 *
 * shutdown(2) fails on a socket that is not connected, and counts all the same: neither what it
 * accepts later nor its own next connection can send. A datagram socket stays shut when it loses
 * its peer. The kernel shows neither, unless a datagram socket is shut for reading, too.
 */
#ifndef XBIND_SHUT_H
#define XBIND_SHUT_H

#include "xbind/key.h"

#include <stdbool.h>

#define SHUT_SOCKETS 256 /* past that a new one takes the place of the first */

/* shutdown(2) for writing counts without a peer. @reading: it is shut for reading by now, too. */
void shut_note(socket_key key, bool reading);

/*
 * Is it shut for writing? @reading: it is shut for reading; one that no longer is was opened again
 * by connect(2) to AF_UNSPEC.
 */
bool shut_is(socket_key key, bool reading);

#endif
