/* SPDX-License-Identifier: MIT */
#include "xbind/reserved.h"

#include "core/fd.h"
#include "core/sys.h"
#include "xbind/config.h"
#include "xbind/hook.h"
#include "xbind/real.h"
#include "xbind/swap.h"

#include <errno.h>
#include <netinet/in.h>

bool reserved_is_listed(void)
{
	uint16_t published;

	for (uint16_t port = RESERVED_FIRST; port <= RESERVED_LAST; port++) {
		if (config_match(CONFIG_TCP, port, &published) ||
		    config_match(CONFIG_UDP, port, &published))
			return true;
	}
	return false;
}

int reserved_try(int fd, const void *addr, socklen_t len)
{
	int rc = decide_bind(fd, addr, len);

	return rc == SWAP_E_LEAVE ? real_bind(fd, addr, len) : rc;
}

static int clamp(int port)
{
	if (port < RESERVED_FIRST)
		return RESERVED_FIRST;
	return port > RESERVED_LAST ? RESERVED_LAST : port;
}

int reserved_rresvport(int *port, sa_family_t family)
{
	struct sockaddr_in6 addr = {.sin6_family = family};
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(addr);
	CLEANUP_CLOSE int fd = -1;
	int start;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	fd = sys_socket(family, SOCK_STREAM, 0);
	if (fd < 0)
		return fd;
	*port = start = clamp(*port);
	do {
		int rc;

		addr.sin6_port = htons((uint16_t)*port); /* sin_port is at the same place */
		rc = reserved_try(fd, &addr, len);
		if (rc == 0)
			return take_fd(&fd);
		if (rc != -EADDRINUSE)
			return rc;
		*port = *port == RESERVED_FIRST ? RESERVED_LAST : *port - 1;
	} while (*port != start);
	return -EAGAIN;
}
