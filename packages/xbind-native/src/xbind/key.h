/* SPDX-License-Identifier: MIT */
/* key.h - what identifies a socket under any descriptor number, and its network namespace */
#ifndef XBIND_KEY_H
#define XBIND_KEY_H

#include <stdint.h>

typedef uintptr_t socket_key; /* one word, so that it can be atomic on every processor */

#define KEY_NONE ((socket_key)0)

/* The SO_COOKIE, or the inode where sockets have no cookie, as under qemu-user. KEY_NONE if fd is
 * not a socket or the cookie is refused, as by a seccomp filter. */
socket_key key_of(int fd);

/* Why a descriptor has no key: -errno. */
int key_error(int fd);

#define KEY_E_GONE 2 /* not SWAP_E_LEAVE, which swap.c returns beside it */

/* Return: 0 when the number has the socket of that key, KEY_E_GONE when it has not, or -errno where
 * it cannot be asked: another thread may have applied a seccomp(2) filter to this one. */
int key_look(int fd, socket_key key);

/* The cookie of a socket's network namespace, 0 where the kernel does not tell. */
uint64_t key_of_namespace(int fd);

#endif
