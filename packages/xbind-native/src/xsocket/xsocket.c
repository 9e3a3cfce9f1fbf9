/* SPDX-License-Identifier: MIT */
#include "xsocket.h"

#include "core/handover.h"
#include "core/visibility.h"

#include <errno.h>

EXPORT int xsocket(const char *path, int domain, int type, int protocol)
{
	int fd = handover_socket(path, domain, type, protocol, deadline_default_ms());

	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	return fd;
}
