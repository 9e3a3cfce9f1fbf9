/* SPDX-License-Identifier: MIT */
/*
 * hook_rresvport_af.c - rresvport_af(3), in which libc binds past the hook, as in bindresvport(3)
 */
#include "core/fd.h"
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/hook.h"
#include "xbind/real.h"

#include <errno.h>
#include <netinet/in.h>

/* The ports that libc uses. */
#define LOWEST  (IPPORT_RESERVED / 2)
#define HIGHEST (IPPORT_RESERVED - 1)

static int clamp(int port)
{
	if (port < LOWEST)
		return LOWEST;
	return port > HIGHEST ? HIGHEST : port;
}

/* Return: as libc's, -EAGAIN when all ports are taken. */
static int decide_rresvport_af(int *port, sa_family_t family)
{
	struct sockaddr_in6 addr = {.sin6_family = family};
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(addr);
	CLEANUP_CLOSE int fd = -1;
	int start;

	if (!config_lists(LOWEST, HIGHEST))
		return real_rresvport_af(port, family);
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	fd = sys_socket(family, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	*port = start = clamp(*port);
	do {
		int rc;

		addr.sin6_port = htons((uint16_t)*port); /* sin_port is at the same place */
		rc = follow_bind(fd, &addr, len);
		if (rc == 0)
			return take_fd(&fd);
		if (rc != -EADDRINUSE)
			return rc;
		*port = *port == LOWEST ? HIGHEST : *port - 1;
	} while (*port != start);
	return -EAGAIN;
}

EXPORT int hook_rresvport_af(int *port, sa_family_t family)
{
	return hook_result(decide_rresvport_af(port, family));
}
