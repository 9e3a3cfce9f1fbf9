/* SPDX-License-Identifier: MIT */
/* renumber.h - a socket of the target namespace takes a number of the program's */
#ifndef XBIND_RENUMBER_H
#define XBIND_RENUMBER_H

/**
 * renumber() - dup3(2) onto a number that is open, and a note that the socket has moved
 * @fd:    the socket that also gets the number; stays the caller's
 * @to:    the number; it may lie above the present RLIMIT_NOFILE
 * @flags: as for dup3(2)
 *
 * Return: 0, -EMFILE when the limit forbids the number, else what dup3(2) gave.
 */
int renumber(int fd, int to, int flags);

#endif
