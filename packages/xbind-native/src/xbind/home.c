/* SPDX-License-Identifier: MIT */
/*
 * home.c - which namespace is home is asked only when a program is about to leave it: nearly none
 * does, and the others are not to pay for it.
 */
#include "xbind/home.h"

#include "core/fd.h"
#include "core/sys.h"

#include <stdatomic.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static _Atomic uint64_t home; /* its cookie, 0 while it is not known */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	sys_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	return cookie;
}

void home_note(void)
{
	uint64_t unknown = 0;
	CLEANUP_CLOSE int fd = -1;

	if (atomic_load(&home))
		return;
	fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	atomic_compare_exchange_strong(&home, &unknown, cookie_of(fd));
}

bool home_has(int fd)
{
	uint64_t known = atomic_load(&home);

	return !known || cookie_of(fd) == known;
}
