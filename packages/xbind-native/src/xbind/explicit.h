/* SPDX-License-Identifier: MIT */
/*
 * explicit.h - what a program has set on a socket but reading the socket does not show
 *
 * An option that was set to the default of the program's own namespace reads as if it had never
 * been set, and the target namespace may have another default. A negative timeout reads as none.
 * shutdown(2) of a socket that is not connected fails with ENOTCONN but takes effect: neither
 * connections that it accepts later nor its own next one can send. A datagram socket stays shut
 * down when it loses its peer.
 */
#ifndef XBIND_EXPLICIT_H
#define XBIND_EXPLICIT_H

#include "xbind/key.h"
#include "xbind/options.h"

#include <stdbool.h>

#define EXPLICIT_SOCKETS 1024 /* in each table; beyond that old ones are forgotten */

/* After the rows of options[]. */
enum {
	EXPLICIT_SHUT = OPTIONS_COUNT, /* for writing */
	EXPLICIT_SHUT_BOTH,            /* and for reading, too */
	EXPLICIT_COUNT,
};

/* Notes that options[row] was set on this socket, or no longer counts as set. Never blocks. */
void explicit_note(socket_key key, int row, bool is_set);

/**
 * explicit_needs_note() - would reading the value back not show that it was set?
 * @fd:    the socket on which it was set
 * @row:   options[row]
 * @value: what the kernel has accepted
 * @len:   its length in bytes
 *
 * A number other than the default shows by itself that it was set. The default of each option is
 * read once, from a fresh socket, so most calls cost no system call here. None is made for a socket
 * that has a port: until the default is known, any value that such a socket reads back as given
 * needs a note.
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
