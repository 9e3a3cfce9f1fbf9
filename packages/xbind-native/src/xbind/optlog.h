/* SPDX-License-Identifier: MIT */
/*
 * optlog.h - records of options that were set and cannot be read back
 *
 * Records of multicast memberships, keys, policies and programs, by socket, in the order in which
 * they were set. The table of them is bounded (optrecord.h). A socket whose option did not fit may
 * not move, since it would arrive without the option.
 */
#ifndef XBIND_OPTLOG_H
#define XBIND_OPTLOG_H

#include "xbind/key.h"

#include <stdbool.h>
#include <sys/socket.h>

/**
 * optlog_note() - record an option that the kernel has accepted
 * @fd:    the socket
 * @key:   its key
 * @row:   options[row], one that cannot be read back
 * @value: the application's, as far as the kernel has read it; copied
 * @len:   its length in bytes as the application gave it, any value
 *
 * Sockets of a kind that never moves are ignored, and those that have moved already.
 */
void optlog_note(int fd, socket_key key, int row, const void *value, socklen_t len);

/**
 * optlog_replay() - set all that was recorded for a socket on another one
 * @key:  of the socket that it was set on
 * @old:  that socket, for the log
 * @to:   the other one
 *
 * SO_ATTACH_BPF is left out: only the socket itself knows whether that filter is still attached.
 *
 * Return: 0; -ENOBUFS when a record did not fit into the table; -errno of an OPTION_SAFETY option.
 */
int optlog_replay(socket_key key, int old, int to);

/* The same for the SO_ATTACH_BPF alone. Return: 0, -EACCES when it was attached out of sight. */
int optlog_replay_filter(socket_key key, int to);

/* Is there a record of options[row]? */
bool optlog_has(socket_key key, int row);

/**
 * optlog_forget() - drop the records of a socket that this process no longer uses
 * @key: its key
 *
 * Records made by another process stay. That may be our parent, suspended by vfork(2), which shares
 * this table and still has the socket.
 */
void optlog_forget(socket_key key);

#endif
