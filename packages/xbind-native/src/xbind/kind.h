/* SPDX-License-Identifier: MIT */
/* kind.h - what a socket was made as, and whether it is still as it was made */
#ifndef XBIND_KIND_H
#define XBIND_KIND_H

#include "xbind/config.h"
#include "xbind/key.h"

#include <stdbool.h>

#define IPPROTO_MPTCP_ 262 /* which not every libc names */

#define KIND_E_OTHER 1 /* not a socket that is ever moved */

/* The arguments of socket(2), without flags. */
struct kind {
	int domain;
	int type;
	int protocol; /* never 0 */
};

/**
 * kind_read() - of what kind is this socket?
 * @fd: any number
 *
 * Return: 0; KIND_E_OTHER for anything but an AF_INET or AF_INET6 socket of TCP, MPTCP, UDP or
 *         UDP-Lite, what is no socket or not open included; -errno of getsockopt(2) where
 *         somebody forbids it, as a seccomp filter may. Then @ret is untouched.
 */
int kind_read(int fd, struct kind *ret);

/* Is it that socket? A file of another kind may have a key of the same value. */
bool kind_is_of(int fd, socket_key key);

/* The number of the socket of that key, which had the number before: the program may have moved it
 * by dup(2). -1 when it has none. Looks at every number if need be. */
int kind_number_of(socket_key key, int before);

/* Which words of XBIND are about it. */
enum config_proto kind_proto(const struct kind *kind);

/* Has it no port? A bound, connecting, connected or listening one has. True where nobody tells. */
bool kind_is_unbound(int fd);

/* Has it an address of its own? One with an address has no port yet by IP_BIND_ADDRESS_NO_PORT. */
bool kind_has_address(int fd);

#endif
