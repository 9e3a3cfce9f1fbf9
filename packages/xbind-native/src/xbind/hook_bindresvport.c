/* SPDX-License-Identifier: MIT */
/* hook_bindresvport.c - bindresvport(3), whose bind inside libc no hook sees */
#include "core/sys.h"
#include "core/visibility.h"
#include "xbind/hook.h"
#include "xbind/real.h"
#include "xbind/reserved.h"

#include <errno.h>
#include <netinet/in.h>

/* Tries the ports from first to last, round from start. Return: 0 or -errno, -EADDRINUSE. */
static int try_ports(int fd, struct sockaddr_in *addr, int first, int last, int start)
{
	int count = last - first + 1;
	int rc = -EADDRINUSE;

	for (int i = 0; rc == -EADDRINUSE && i < count; i++) {
		addr->sin_port = htons((uint16_t)(first + (start - first + i) % count));
		rc = reserved_try(fd, addr, sizeof(*addr));
	}
	return rc;
}

static int decide_bindresvport(int fd, struct sockaddr_in *addr)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int ports = RESERVED_LAST - RESERVED_START + 1;
	int rc;

	if (!reserved_is_listed())
		return real_bindresvport(fd, addr);
	if (!addr)
		addr = &any;
	if (addr->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	/* By process, as libc does it, so that not everybody tries the same one first. */
	rc = try_ports(fd, addr, RESERVED_START, RESERVED_LAST,
	               RESERVED_START + sys_getpid() % ports);
	if (rc == -EADDRINUSE)
		rc = try_ports(fd, addr, RESERVED_FIRST, RESERVED_START - 1, RESERVED_FIRST);
	return rc;
}

EXPORT int hook_bindresvport(int fd, struct sockaddr_in *addr)
{
	return hook_result(decide_bindresvport(fd, addr));
}
