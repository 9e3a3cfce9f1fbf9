/* SPDX-License-Identifier: MIT */
#include "xbind/key.h"

#include "core/sys.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
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
