/* SPDX-License-Identifier: MIT */
/*
 * copies.h - descriptors that are copies of a socket, by dup(2) and the like, follow it
 *
 * copies_watch(), dup3(2) over the socket, copies_exist_consume(), copies_replace().
 */
#ifndef XBIND_COPIES_H
#define XBIND_COPIES_H

#include "core/sys.h"

#include <stdbool.h>

/**
 * copies_watch() - prepare to tell whether a socket has copies
 * @fd: the socket, before it is replaced; stays the caller's
 *
 * Return: an epoll set that sees the socket while anybody holds it, -1 where there is none. It is
 *         for copies_exist_consume(), which must follow.
 */
int copies_watch(int fd);

/* May there be copies, once dup3(2) is done, well or not? Ends the watch: it takes the room of a
 * registration, and epoll sets have only so much for each user. */
bool copies_exist_consume(int watch);

/**
 * copies_replace() - let the copies follow the replaced socket, with their epoll registrations
 * @old:    the replaced socket's, by sys_identify()
 * @number: which it had
 * @fd:     the new socket, under whatever number; stays the caller's
 *
 * Takes a system call for each descriptor number until the last copy is found. Copies in other
 * processes are out of reach.
 */
void copies_replace(const struct sys_identity *old, int number, int fd);

#endif
