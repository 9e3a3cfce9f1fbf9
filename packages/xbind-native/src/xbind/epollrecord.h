/* SPDX-License-Identifier: MIT */
/*
 * epollrecord.h - what epoll_ctl(2) was given, for where /proc cannot be asked
 *
 * A bounded table: a process with more than EPOLLRECORD_FDS descriptors in epoll sets, or with one
 * in more than EPOLLRECORD_SETS of them, loses records. It is second best in any case: what was
 * registered past the library is not in it, nor that an EPOLLONESHOT has fired.
 */
#ifndef XBIND_EPOLLRECORD_H
#define XBIND_EPOLLRECORD_H

#include <stdbool.h>
#include <stdint.h>

#define EPOLLRECORD_FDS  1024 /* descriptor numbers without a collision */
#define EPOLLRECORD_SETS 4    /* records of one number */

struct epoll_event;

/* One registration in an epoll set, as epoll_ctl(2) was given it. */
struct epoll_registration {
	uint32_t events;
	uint64_t data;
};

/**
 * epollrecord_note() - remember an epoll_ctl(2) that has succeeded
 * @set:       the epoll set
 * @operation: EPOLL_CTL_...
 * @fd:        the registered descriptor
 * @event:     as given; not read for EPOLL_CTL_DEL
 */
void epollrecord_note(int set, int operation, int fd, const struct epoll_event *event);

/* Return: whether there is a record; ret is written only then. It may be older than the file. */
bool epollrecord_find(int set, int fd, struct epoll_registration *ret);

/**
 * epollrecord_park() - keep a registration here that has been taken out of its set
 *
 * The program does not know of that, and epoll_ctl(2) goes on as if the registration were there.
 *
 * Return: whether there is a record of it. There is none when epoll_ctl(2) was called past the
 *         library; the next call would be, too, and not find what is parked.
 */
bool epollrecord_park(int set, int fd);

/* Is something parked, or was? */
bool epollrecord_any_parked(void);

/* There is a new set of this number: what was parked under it was an older one's, unless it is that
 * of another table. */
void epollrecord_new_set(int set);

/* Is a registration of the socket that has this number now parked, under set or a copy of it? */
bool epollrecord_is_parked(int set, int fd);

/* What is parked for the socket of that inode, which had this number, is parked for the one that
 * has the number now: the new socket, or after a failed swap still the old one. */
void epollrecord_follow(int fd, uint64_t inode);

/* Return: whether it was parked, which it no longer is. */
bool epollrecord_unpark(int set, int fd);

#endif
