/* SPDX-License-Identifier: MIT */
/*
 * epollrecord.h - what epoll_ctl(2) was given, and what of it the kernel does not have
 *
 * A record is about one descriptor number in one epoll set. Its states:
 *
 *   EMPTY   it is about nothing
 *   NOTED   the set has the registration. The record tells its events where /proc does not
 *   PARKED  the set does not have it, and the program thinks that it has: it is an EPOLLONESHOT
 *           that had fired when its socket moved, which cannot be added to a set in that state.
 *           epoll_ctl(2) goes on as if it were there
 *
 *   from    to      when                                            by epollrecord_...
 *   EMPTY   NOTED   EPOLL_CTL_ADD; EPOLL_CTL_MOD of one unseen      note()
 *   NOTED   NOTED   EPOLL_CTL_MOD                                   note()
 *   NOTED   EMPTY   EPOLL_CTL_DEL                                   note()
 *   NOTED   PARKED  the socket has moved, or has failed to          park()
 *   PARKED  PARKED  the same once more                              follow()
 *   PARKED  EMPTY   EPOLL_CTL_MOD has added it to the set again     unpark(), before note()
 *   PARKED  EMPTY   EPOLL_CTL_DEL                                   unpark()
 *   any     EMPTY   another set has the number of its set           new_set()
 *   any     EMPTY   its place is needed, of what is PARKED last,    note()
 *                   unless its socket no longer has the number
 *
 * Nobody tells of close(2). So what is NOTED may be over, and counts only if kcmp(2), or where that
 * is refused epoll_ctl(2), finds something there; what is PARKED holds the inode of its socket, and
 * counts for that one alone.
 *
 * The table is bounded: a process with more than EPOLLRECORD_FDS descriptors in epoll sets, or with
 * one in more than EPOLLRECORD_SETS of them, loses records. What was registered past the library is
 * not in it, nor that an EPOLLONESHOT has fired.
 */
#ifndef XBIND_EPOLLRECORD_H
#define XBIND_EPOLLRECORD_H

#include <stdbool.h>
#include <stdint.h>

#define EPOLLRECORD_FDS  1024 /* descriptor numbers without a collision */
#define EPOLLRECORD_SETS 4    /* records of one number */

struct epoll_event;

/**
 * epollrecord_note() - remember an epoll_ctl(2) that has succeeded
 * @set:       the epoll set
 * @operation: EPOLL_CTL_...
 * @fd:        the registered descriptor
 * @event:     as given; not read for EPOLL_CTL_DEL
 *
 * One that comes late, when the socket has moved since, leaves PARKED what is.
 */
void epollrecord_note(int set, int operation, int fd, const struct epoll_event *event);

/* Return: whether there is a record, under this number of the set; ret is written only then. One
 * under another number may be older than the set, and wrong data are worse than none. */
bool epollrecord_find(int set, int fd, struct epoll_event *ret);

/* Return: whether there is a record to park. There is none when epoll_ctl(2) was called past the
 * library; the next call would be, too, and not find what is parked. */
bool epollrecord_park(int set, int fd);

/* Has anything ever been parked? */
bool epollrecord_any_parked(void);

/* Is a registration of the socket that has this number now parked, under set or a copy of it? */
bool epollrecord_is_parked(int set, int fd);

/* If so, it no longer is. */
void epollrecord_unpark(int set, int fd);

/* What is parked for the socket of that inode, which had this number, is parked for the one that
 * has the number now: the new socket, or after a failed swap still the old one. */
void epollrecord_follow(int fd, uint64_t inode);

/* There is a new set of this number. Records of an older one are over, unless that is one of
 * another table. Before anything was PARKED they may stay: they do no harm. */
void epollrecord_new_set(int set);

#endif
