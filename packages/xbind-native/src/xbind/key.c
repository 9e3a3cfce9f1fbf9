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

static _Atomic bool has_cookies;

socket_key key_of(int fd)
{
	uint64_t cookie = 0;
	const int rc = read_cookie(fd, SO_COOKIE, &cookie);

	if (rc == 0) {
		if (!has_cookies)
			has_cookies = true;
		return (socket_key)cookie;
	}
	/* Under qemu-user it is EINVAL. Any other error is that of a file which is not a socket, or
	 * a refusal, and so are these where there have been cookies: then not the inode, since it
	 * may have been noted by its cookie. */
	if (has_cookies || (rc != -ENOPROTOOPT && rc != -EINVAL))
		return KEY_NONE;
	/* A seccomp filter answers so for every file. */
	if (sys_getsockopt_int(fd, SOL_SOCKET, SO_TYPE) < 0)
		return KEY_NONE;
	return (socket_key)sys_inode(fd);
}

int key_error(int fd)
{
	uint64_t cookie = 0;
	const int rc = read_cookie(fd, SO_COOKIE, &cookie);

	return rc < 0 ? rc : -EBADF;
}

static bool is_no_socket(int error)
{
	return error == -EBADF || error == -ENOTSOCK;
}

int key_look(int fd, socket_key key)
{
	const socket_key now = key_of(fd);
	int rc;

	if (now != KEY_NONE)
		return now == key ? 0 : KEY_E_GONE;
	rc = key_error(fd);
	/* qemu-user gives the same error for every file */
	if (is_no_socket(rc) || is_no_socket(sys_getsockopt_int(fd, SOL_SOCKET, SO_TYPE)))
		return KEY_E_GONE;
	return rc;
}

uint64_t key_of_namespace(int fd)
{
	uint64_t cookie = 0;

	return read_cookie(fd, SO_NETNS_COOKIE, &cookie) < 0 ? 0 : cookie;
}
