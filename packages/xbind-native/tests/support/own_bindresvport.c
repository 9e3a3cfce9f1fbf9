/* SPDX-License-Identifier: MIT */
/*
 * own_bindresvport.c - a library whose bindresvport takes IPv6 as well, like that of libtirpc, and
 * does not always say why it fails
 */
#include "core/visibility.h"

#include <netinet/in.h>
#include <sys/socket.h>

int bindresvport(int fd, struct sockaddr_in *addr);

EXPORT int bindresvport(int fd, struct sockaddr_in *addr)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(700)};

	(void)addr;
	if (fd < 0)
		return -1;
	return bind(fd, (const struct sockaddr *)&any, sizeof(any));
}
