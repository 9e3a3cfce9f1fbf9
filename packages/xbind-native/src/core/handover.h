/* SPDX-License-Identifier: MIT */
/* handover.h - the client's side: ask a server for a socket, receive it, and check it */
#ifndef CORE_HANDOVER_H
#define CORE_HANDOVER_H

#include "core/address.h"
#include "core/deadline.h"
#include "core/wire.h"

#include <stdbool.h>

/**
 * handover_connect() - connect to a server
 * @path:       where it listens, as for address_parse()
 * @any_server: what address_any_server() returned
 * @deadline:   when to give up
 *
 * The connection is close-on-exec and non-blocking. With an abstract address the server must run
 * as root or as our own effective user, unless @any_server.
 *
 * Return: the connection, which the caller closes; -ETIMEDOUT, -EACCES for an abstract name held
 *         by another user, else what address_parse(), socket(2) and connect(2) give.
 */
int handover_connect(const char *path, bool any_server, const struct deadline *deadline);

/**
 * handover_send() - send one request
 * @conn:    connection from handover_connect(); stays the caller's
 * @request: what to ask for, without SOCK_CLOEXEC
 *
 * Return: 0, also when the server has closed the connection: it may have sent an error before,
 *         which handover_receive() gets; else what sendto(2) gives.
 */
int handover_send(int conn, const struct wire_request *request);

/**
 * handover_wait() - wait for a reply, or for the end of the connection
 * @conn:     connection from handover_connect(); stays the caller's
 * @deadline: when to give up
 *
 * Return: 0, -ETIMEDOUT, else what ppoll(2) gives.
 */
int handover_wait(int conn, const struct deadline *deadline);

/* No reply has arrived yet. Lower numbers are our own errors, as distinct from the server's. */
#define HANDOVER_E_NOT_YET (-4096)

/**
 * handover_take() - take one reply and its socket without waiting
 *
 * The arguments are those of handover_receive().
 *
 * Return: the socket, which the caller closes; HANDOVER_E_NOT_YET when no reply has arrived; the
 *         server's error as -errno; HANDOVER_E_NOT_YET - errno for an error of our own, such as
 *         EBADMSG.
 */
int handover_take(int conn, const struct wire_request *request, bool cloexec);

/**
 * handover_receive() - take one reply and its socket
 * @conn:     connection from handover_connect(); stays the caller's
 * @request:  what was asked for; the socket must be of that kind and fresh. It is given O_NONBLOCK
 *            exactly if SOCK_NONBLOCK is in here, whatever the server has done
 * @cloexec:  whether the new descriptor is close-on-exec from birth
 * @deadline: when to give up; one that has passed means: try once without waiting
 *
 * Return: the socket, which the caller closes; -ETIMEDOUT, -ECONNRESET when the server closed
 *         without an answer, -EBADMSG for a malformed answer, -EMFILE or -EACCES when the kernel
 *         keeps the socket from this process, else the server's error. After any failure but the
 *         server's error and -ETIMEDOUT the connection is of no more use.
 */
int handover_receive(int conn, const struct wire_request *request, bool cloexec,
                     const struct deadline *deadline);

/**
 * handover_socket() - a whole handover on a connection of its own
 * @path:     as for handover_connect()
 * @domain:   as for socket(2)
 * @type:     as for socket(2), with SOCK_CLOEXEC and SOCK_NONBLOCK
 * @protocol: as for socket(2)
 * @wait_ms:  when to give up, in milliseconds from now
 *
 * Return: the socket, which the caller closes; else an error of the functions above.
 */
int handover_socket(const char *path, int domain, int type, int protocol, int wait_ms);

#endif
