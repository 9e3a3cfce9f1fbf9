/* SPDX-License-Identifier: MIT */
/*
 * optlog.h - what was set and cannot be read back
 *
 * Records of multicast memberships, keys, policies and programs, by socket, in the order in which
 * they were set. The table has a bound. At the bound records of sockets that are gone or have been
 * bound make place; when there are none, the socket whose option did not fit is remembered, and
 * may not move: it would arrive without it. When there are more of these than can be remembered, no
 * socket may.
 */
#ifndef XBIND_OPTLOG_H
#define XBIND_OPTLOG_H

#include "xbind/key.h"

#include <stdbool.h>
#include <sys/socket.h>

#define OPTLOG_RECORDS     2048  /* options of sockets that are not bound yet */
#define OPTLOG_BYTES       320   /* of a value or program that has room in its record */
#define OPTLOG_LARGE       8     /* values and programs that are longer */
#define OPTLOG_LARGE_BYTES 32768 /* of each: as long as the kernel takes a classic program */
#define OPTLOG_LOST        256   /* sockets that did not fit */

/**
 * optlog_note() - the kernel has accepted an option
 * @fd:    the socket
 * @key:   its key
 * @row:   options[row], one that cannot be read back
 * @value: the application's, as far as the kernel has read it; copied
 * @len:   its length in bytes as the application gave it, any value
 *
 * A socket of a kind that never moves is passed over, and one that has moved already.
 */
void optlog_note(int fd, socket_key key, int row, const void *value, socklen_t len);

/**
 * optlog_replay() - set all that was recorded on another socket
 * @key:  of the socket that it was set on
 * @old:  that socket, for the log
 * @to:   the other one
 *
 * SO_ATTACH_BPF is left out: only the socket knows whether that filter is still on it.
 *
 * Return: 0; -ENOBUFS when a record did not fit into the table; -errno of an option with meaning
 *         for safety.
 */
int optlog_replay(socket_key key, int old, int to);

/* The same for the SO_ATTACH_BPF alone. Return: 0, -EACCES when it was attached out of sight. */
int optlog_replay_filter(socket_key key, int to);

/* Was options[row] set in sight? */
bool optlog_has(socket_key key, int row);

/**
 * optlog_forget() - the socket is no longer in use by this process
 * @key: its key
 *
 * What another process has recorded stays: it may be one that waits for us after vfork(2), and has
 * both the socket and this table.
 */
void optlog_forget(socket_key key);

#endif
