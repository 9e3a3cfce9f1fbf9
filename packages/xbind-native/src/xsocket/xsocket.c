/* SPDX-License-Identifier: MIT */
#include "xsocket.h"

#include "core/handover.h"
#include "core/visibility.h"

#include <errno.h>

EXPORT int xsocket(const char *path, int domain, int type, int protocol)
{
	struct deadline deadline = deadline_in(deadline_default_ms());
	struct address address;
	int fd = address_parse(path, address_any_server(), &address);

	if (fd == 0)
		fd = handover_socket(&address, domain, type, protocol, &deadline);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	return fd;
}
