/* SPDX-License-Identifier: MIT */
/*
 * explicit.h - what a program has set on a socket although the socket does not show it
 *
 * An option that was set to the default of the program's own namespace reads as if it had never
 * been set, and the target namespace may have another default. A negative time reads as none.
 * shutdown(2) of a socket that is not connected fails with ENOTCONN and takes effect all the same:
 * neither what it accepts later nor its own next connection can send. A datagram socket stays shut
 * down when it loses its peer.
 */
#ifndef XBIND_EXPLICIT_H
#define XBIND_EXPLICIT_H

#include "xbind/key.h"
#include "xbind/options.h"

#include <stdbool.h>

#define EXPLICIT_SOCKETS 1024 /* with options, and shut; past that one is forgotten for another */

/* After the rows of options[]. */
enum {
	EXPLICIT_SHUT = OPTIONS_COUNT, /* for writing */
	EXPLICIT_SHUT_BOTH,            /* and for reading, too */
	EXPLICIT_COUNT,
};

/* options[row] was set on this socket; or no longer counts as set. Never waits. */
void explicit_note(socket_key key, int row, bool is_set);

/**
 * explicit_needs_note() - is this value one that reading it back would not show?
 * @fd:    the socket on which it was set
 * @row:   options[row]
 * @value: what the kernel has accepted
 * @len:   its length in bytes
 *
 * A number that is not the default shows by itself that it was set. The default is asked once for
 * each option, of a fresh socket, so most calls cost no system call here. A socket with a port is
 * no reason to ask: until the default is known, every value that was set on one needs a note.
 */
bool explicit_needs_note(int fd, int row, const void *value, socklen_t len);

/* Learns the default of options[row] from what a fresh socket has. */
void explicit_learn(int row, const struct option_value *fresh);

/* Was options[row] set on this socket? */
bool explicit_is_set(socket_key key, int row);

/* May options[row] have been set without a note? Yes for an OPTION_BOOL whose default was learnt
 * in another namespace, and differs from that of a fresh socket here: as after setns(2). */
bool explicit_is_unsure(int row, const struct option_value *fresh);

#endif
