/* SPDX-License-Identifier: MIT */
/*
 * home.c - asked when the library is loaded, whatever way the program then goes: by setns(2) or
 * unshare(2), as the child of clone(2), or by a system call that no hook sees.
 */
#include "xbind/home.h"

#include "core/fd.h"
#include "core/sys.h"
#include "xbind/config.h"
#include "xbind/key.h"
#include "xbind/moved.h"

#include <stdint.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static uint64_t home; /* its cookie, 0 while it is not known */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	sys_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	return cookie;
}

void home_load(void)
{
	CLEANUP_CLOSE int fd = -1;

	if (!config_all(CONFIG_TCP) && !config_all(CONFIG_UDP))
		return; /* nobody will ask */
	fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	home = cookie_of(fd);
}

bool home_has(int fd)
{
	return !home || cookie_of(fd) == home || moved_is(key_of(fd));
}
