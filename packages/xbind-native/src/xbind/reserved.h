/* SPDX-License-Identifier: MIT */
/*
 * reserved.h - what libc's bindresvport(3) and rresvport(3) do
 *
 * libc calls its own bind there, past every hook. So while a reserved port is listed the library
 * takes their place and looks for a free one itself.
 */
#ifndef XBIND_RESERVED_H
#define XBIND_RESERVED_H

#include <stdbool.h>
#include <sys/socket.h>

#define RESERVED_FIRST 512 /* the ports that rresvport(3) uses, both ends included */
#define RESERVED_LAST  1023
#define RESERVED_START 600 /* the lowest that bindresvport(3) uses while there is another one */

struct sockaddr_in;

/* Is a port listed that these functions may come to? */
bool reserved_is_listed(void);

/* bind(2) as the hook does it, for an address of our own. Return: 0 or -errno. */
int reserved_try(int fd, const void *addr, socklen_t len);

/**
 * reserved_rresvport() - rresvport_af(3)
 * @port:   where to start, and the port that was found
 * @family: AF_INET or AF_INET6
 *
 * Return: a bound stream socket, which the caller closes; -EAGAIN when all ports are taken, else
 *         -errno of socket(2) and bind(2).
 */
int reserved_rresvport(int *port, sa_family_t family);

#endif
