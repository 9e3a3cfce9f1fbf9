/* SPDX-License-Identifier: MIT */
/*
 * hook_bindresvport.c - bindresvport(3)
 *
 * The one in libc binds internally, past the hook. So if a reserved port is listed, this function
 * does its work and looks for a free port itself.
 */
#include "core/sys.h"
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/hook.h"
#include "xbind/lock.h"
#include "xbind/options.h"
#include "xbind/real.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>

/* The ports that libc uses, those from START on first. */
#define LOWEST  512
#define START   600
#define HIGHEST (IPPORT_RESERVED - 1)

/* Tries the ports from first to last once each. Return: 0 or -errno, -EADDRINUSE. */
static int try_ports(int fd, struct sockaddr_in *addr, unsigned first, unsigned last)
{
	/*
	 * As in libc, the process id decides where to begin. Each call goes on after the port of
	 * the last one, which could be bound a second time where SO_REUSEADDR is set.
	 */
	static _Atomic unsigned tried;
	const unsigned count = last - first + 1, self = (unsigned)sys_getpid();
	int rc = -EADDRINUSE;

	for (unsigned i = 0; rc == -EADDRINUSE && i < count; i++) {
		addr->sin_port = htons((uint16_t)(first + (self + tried++) % count));
		rc = follow_bind(fd, addr, sizeof(*addr));
	}
	return rc;
}

/* libc's takes IPv4 only. Another library's may take more, and its bind goes through the hook. */
static bool is_for_libc(int fd, const struct sockaddr_in *addr)
{
	return addr ? addr->sin_family == AF_INET
	            : option_number(fd, SOL_SOCKET, SO_DOMAIN) != AF_INET6;
}

static int decide_bindresvport(int fd, struct sockaddr_in *addr)
{
	static _Atomic int holder; /* two threads that count at once would each skip ports */
	struct sockaddr_in any = {.sin_family = AF_INET};
	struct lock_turn turn;
	int rc;

	if (!config_lists(LOWEST, HIGHEST) || !is_for_libc(fd, addr))
		return real_bindresvport(fd, addr);
	if (!addr)
		addr = &any;
	turn = lock_enter(&holder, LOCK_LONGEST_MS);
	rc = try_ports(fd, addr, START, HIGHEST);
	if (rc == -EADDRINUSE)
		rc = try_ports(fd, addr, LOWEST, START - 1);
	lock_leave(&turn);
	return rc;
}

EXPORT int hook_bindresvport(int fd, struct sockaddr_in *addr)
{
	return hook_result(decide_bindresvport(fd, addr));
}
