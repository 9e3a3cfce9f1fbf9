/* SPDX-License-Identifier: MIT */
#ifndef XSOCKET_H
#define XSOCKET_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * xsocket() - create a socket in the network namespace of an xsocket server
 * @path:     control socket of the server: a filesystem path, or "@name" for
 *            the abstract namespace; NULL means /run/xsocket/default
 * @domain:   as for socket(2), for example AF_INET or AF_INET6
 * @type:     as for socket(2); SOCK_NONBLOCK and SOCK_CLOEXEC may be or-ed in
 * @protocol: as for socket(2), usually 0
 *
 * Works like socket(2), but the socket belongs to the network namespace in
 * which the server runs. The caller owns the descriptor and closes it. Safe
 * from several threads and in signal handlers, and not a cancellation point.
 * No signal interrupts it. It waits at most 5000 ms; XSOCKET_TIMEOUT_MS in the
 * environment sets another time in milliseconds.
 *
 * With "@name" the server must run as root or as the caller's effective user,
 * since anybody may take an abstract name; XSOCKET_ANY_SERVER=1 in the
 * environment lets any other pass. Set-user-ID programs ignore both variables.
 *
 * Return: a descriptor, with errno untouched; or -1 with errno set:
 *   ENOENT        no such path: no server runs
 *   ECONNREFUSED  nobody listens there: the server is gone
 *   EACCES        no permission to open the control socket; or an abstract
 *                 name that is held by another user; or a security module
 *                 keeps the new socket from this process
 *   ENAMETOOLONG  the path does not fit into a UNIX socket address
 *   EINVAL        the path is empty
 *   ETIMEDOUT     the server did not answer in time
 *   ECONNRESET    the server closed the connection without an answer
 *   EBADMSG       the answer is malformed, or what came with it is not a fresh
 *                 socket of the kind that was asked for
 *   EPERM         the server's policy refuses this kind of socket, or a quota of
 *                 it is used up, or the server may not make it
 *   EMFILE, ENFILE, ETOOMANYREFS
 *                 a limit is reached, here or in the server
 *   any other     what socket(2) gave in the server, what connect(2) gave here
 * xsocket(3) says more.
 */
int xsocket(const char *path, int domain, int type, int protocol);

#ifdef __cplusplus
}
#endif

#endif
