/* SPDX-License-Identifier: MIT */
/*
 * epollrecord.h - registrations made by epoll_ctl(2), including those that the kernel does not have
 *
 * A record is about one descriptor number in one epoll set. Its states:
 *
 *   EMPTY   the record is not in use
 *   NOTED   the set has the registration. The record gives its events where /proc does not
 *   PARKED  the set does not have the registration, but the program believes that it has: it is an
 *           EPOLLONESHOT that had fired when its socket moved, a state that cannot be added to a
 *           set. The epoll_ctl(2) hook behaves as if it were there
 *
 *   from    to      when                                            by epollrecord_...
 *   EMPTY   NOTED   EPOLL_CTL_ADD; EPOLL_CTL_MOD of one unseen      note()
 *   NOTED   NOTED   EPOLL_CTL_MOD                                   note()
 *   NOTED   EMPTY   EPOLL_CTL_DEL                                   note()
 *   NOTED   PARKED  the socket has moved, or failed to              park()
 *   PARKED  PARKED  the same once more                              follow()
 *   PARKED  EMPTY   EPOLL_CTL_MOD has added it to the set again     unpark(), before note()
 *   PARKED  EMPTY   EPOLL_CTL_DEL                                   unpark()
 *   PARKED  EMPTY   the number of its set belongs to a new set      new_set()
 *   any     EMPTY   its place is needed; a PARKED one goes last,    note()
 *                   unless its socket no longer has the number
 *
 * close(2) is not hooked, so a NOTED record may be stale: it counts only if kcmp(2), or where that
 * is refused epoll_ctl(2), finds a registration. A PARKED record has the key of its socket and
 * counts for that socket only.
 *
 * The table is bounded: a process with more than EPOLLRECORD_FDS descriptors in epoll sets, or with
 * one in more than EPOLLRECORD_SETS of them, loses records. Registrations made past the library are
 * not in it, nor is it known whether an EPOLLONESHOT has fired.
 */
#ifndef XBIND_EPOLLRECORD_H
#define XBIND_EPOLLRECORD_H

#include "xbind/key.h"

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
 * If the socket has moved since the call, a record that is PARKED stays so.
 */
void epollrecord_note(int set, int operation, int fd, const struct epoll_event *event);

/* Looks under this number of the set alone: a record under another one may be older than the set,
 * and wrong data are worse than none. Return: whether there is a record; ret is written only then.
 */
bool epollrecord_find(int set, int fd, struct epoll_event *ret);

/* Return: whether there was a record to park, and a key to park it with. There is no record if
 * epoll_ctl(2) was called past the library: the program's next call would go past it too, and miss
 * what is parked. */
bool epollrecord_park(int set, int fd);

/* Has anything ever been parked? */
bool epollrecord_any_parked(void);

/* Is a registration parked for the socket that now has this number, under set or a copy of it? */
bool epollrecord_is_parked(int set, int fd);

/* Empties that record, if there is one. */
void epollrecord_unpark(int set, int fd);

/* Records parked for the socket of that key, which had this number, go to the socket that has it
 * now: the new one, or after a failed swap still the old one. */
void epollrecord_follow(int fd, socket_key before);

/* A new set has this number: drops what is PARKED for an older one, unless that may live on in
 * another descriptor table. What is NOTED stays, since it does no harm. */
void epollrecord_new_set(int set);

#endif
