/* SPDX-License-Identifier: MIT */
/* plugin.c - a plugin that binds; with RTLD_DEEPBIND it finds libc before any preloaded library */
#include "core/visibility.h"
#include "support/libc.h"

#include <sys/socket.h>

typedef int bind_function(int fd, const struct sockaddr *addr, socklen_t len);

bind_function plugin_bind, plugin_bind_by_value;

EXPORT int plugin_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return bind(fd, addr, len);
}

/* A function pointer, as in a table of operations. */
static bind_function *const volatile value = bind;

EXPORT int plugin_bind_by_value(int fd, const struct sockaddr *addr, socklen_t len)
{
	return value(fd, addr, len);
}

#ifdef LIBC_VERSION
bind_function plugin_bind_found, plugin_bind_version;

/* Its calls of dlsym and dlvsym reach libc's as well. */
EXPORT int plugin_bind_found(int fd, const struct sockaddr *addr, socklen_t len)
{
	return ((bind_function *)libc_symbol("bind"))(fd, addr, len);
}

EXPORT int plugin_bind_version(int fd, const struct sockaddr *addr, socklen_t len)
{
	return ((bind_function *)dlvsym(RTLD_DEFAULT, "bind", LIBC_VERSION))(fd, addr, len);
}
#endif
