/* SPDX-License-Identifier: MIT */
#include "xbind/key.h"

#include "core/sys.h"

#include <errno.h>
#include <stdbool.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int read_cookie(int fd, int name, uint64_t *ret)
{
	socklen_t len = sizeof(*ret);

	return sys_getsockopt(fd, SOL_SOCKET, name, ret, &len);
}

/* Is there no cookie, as under qemu-user (EINVAL)? Any other error is a refusal. */
static bool is_missing(int error)
{
	return error == -ENOPROTOOPT || error == -ENOTSOCK || error == -EBADF || error == -EINVAL;
}

socket_key key_of(int fd)
{
	struct sys_identity identity;
	uint64_t cookie = 0;
	const int rc = read_cookie(fd, SO_COOKIE, &cookie);

	if (rc == 0)
		return (socket_key)cookie;
	if (!is_missing(rc)) /* not the inode: it may have been noted by its cookie */
		return KEY_NONE;
	return sys_identify(fd, &identity) < 0 ? KEY_NONE : (socket_key)identity.inode;
}

int key_error(int fd)
{
	uint64_t cookie = 0;
	const int rc = read_cookie(fd, SO_COOKIE, &cookie);

	return rc < 0 ? rc : -EBADF;
}

uint64_t key_of_namespace(int fd)
{
	uint64_t cookie = 0;

	return read_cookie(fd, SO_NETNS_COOKIE, &cookie) < 0 ? 0 : cookie;
}
