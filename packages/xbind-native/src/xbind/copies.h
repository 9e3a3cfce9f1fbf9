/* SPDX-License-Identifier: MIT */
/*
 * copies.h - making the copies of a socket, by dup(2) and the like, follow its replacement
 *
 * Call in this order: copies_watch(), dup3(2) over the socket, copies_exist_consume(),
 * copies_replace().
 */
#ifndef XBIND_COPIES_H
#define XBIND_COPIES_H

#include "xbind/key.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * copies_watch() - prepare to tell whether a socket has copies
 * @fd: the socket, before it is replaced; stays the caller's
 *
 * Return: an epoll set that reports the socket as long as anybody holds it, -1 if none can be made.
 *         Must be given to copies_exist_consume().
 */
int copies_watch(int fd);

/* After dup3(2), successful or not: may there be copies? Closes the watch, since its registration
 * counts against the user's limit (fs.epoll.max_user_watches). */
bool copies_exist_consume(int watch);

/**
 * copies_replace() - replace the copies of a replaced socket, keeping their epoll registrations
 * @old:    key of the replaced socket
 * @inode:  its inode, as for epollset_detach()
 * @number: descriptor number that it had
 * @fd:     the new socket, under whatever number; stays the caller's
 *
 * Takes a system call for each descriptor number until the last copy is found. Copies in other
 * processes are out of reach.
 */
void copies_replace(socket_key old, uint64_t inode, int number, int fd);

#endif
