/* SPDX-License-Identifier: MIT */
#include "xbind/key.h"

#include "core/sys.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

socket_key key_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct sys_identity identity;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0)
		return (socket_key)cookie;
	return sys_identify(fd, &identity) < 0 ? KEY_NONE : (socket_key)identity.inode;
}

uint64_t key_of_namespace(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return sys_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}
