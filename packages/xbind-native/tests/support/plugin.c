/* SPDX-License-Identifier: MIT */
/* plugin.c - a plugin that binds; loaded with RTLD_DEEPBIND it finds libc before any preload */
#include "core/visibility.h"

#include <sys/socket.h>

int plugin_bind(int fd, const struct sockaddr *addr, socklen_t len);

EXPORT int plugin_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return bind(fd, addr, len);
}
