/* SPDX-License-Identifier: MIT */
/*
 * kept.h - a connection to the server that outlives chroot(2)
 *
 * After chroot(2) the path of the control socket leads nowhere, or to somebody else's socket, while
 * a connection made before goes on working. A directory descriptor would do too, but would be a way
 * out of the jail.
 */
#ifndef XBIND_KEPT_H
#define XBIND_KEPT_H

#include "core/handover.h"

#include <stdbool.h>

/**
 * kept_open() - connect, unless there is a connection that can be used
 *
 * A server that is down is no error here: the next bind will fail. XBIND_LOG says so.
 *
 * Return: whether a connection was made now.
 */
bool kept_open(void);

/* Is there a connection that was made under another effective user? It is not used then. */
bool kept_is_foreign(void);

/* Ends the connection. */
void kept_close(void);

/**
 * kept_request() - ask for a socket on the kept connection
 * @request:  what to ask for
 * @deadline: when to give up
 *
 * One request at a time, also among forked processes, which share the connection: in the jail they
 * cannot make one of their own. It is used only under the effective user that made it, since the
 * server takes whoever uses it for that user. The caller must have signals blocked, as in a swap.
 *
 * Return: the socket, close-on-exec, which the caller closes; -ENOTCONN when there is no
 *         connection that can be used; else an error of handover_receive().
 */
int kept_request(const struct wire_request *request, const struct deadline *deadline);

#endif
