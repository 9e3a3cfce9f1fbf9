/* SPDX-License-Identifier: MIT */
/* kind.h - what kind of socket this is, and whether it is bound */
#ifndef XBIND_KIND_H
#define XBIND_KIND_H

#include "xbind/config.h"
#include "xbind/key.h"

#include <stdbool.h>

#define IPPROTO_MPTCP_ 262 /* not every libc has the name */

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
 *         UDP-Lite, including what is not a socket or not open; -errno of getsockopt(2) where that
 *         is forbidden, as by a seccomp filter. Then @ret is untouched.
 */
int kind_read(int fd, struct kind *ret);

/**
 * kind_and_key() - kind_read(), and which socket it is
 * @fd:      any number; another thread may put another socket there meanwhile
 * @ret:     the kind
 * @ret_key: the key of the socket that is of this kind, KEY_NONE where the key is refused
 *
 * Return: as kind_read().
 */
int kind_and_key(int fd, struct kind *ret, socket_key *ret_key);

/* The present number of the socket of that key, which had the number before: the program may have
 * moved it by dup(2). -1 when it has none. May have to look at every number. */
int kind_number_of(socket_key key, int before);

/* Which words of XBIND are about it. */
enum config_proto kind_proto(const struct kind *kind);

/* Has it no port? A bound, connecting, connected or listening one has. True where the question is
 * refused, as by a seccomp filter. */
bool kind_is_unbound(int fd);

/* Has it a local address? By IP_BIND_ADDRESS_NO_PORT it may have one and no port yet. */
bool kind_has_address(int fd);

#endif
