/* SPDX-License-Identifier: MIT */
#include "xbind/byway.h"

#include "core/sys.h"
#include "xbind/hook.h"
#include "xbind/swap.h"

#include <errno.h>

static int finish(int rc)
{
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return rc;
}

int byway_bind(int fd, const void *addr, socklen_t len)
{
	int rc = swap_runs(fd) ? SWAP_E_LEAVE : decide_bind(fd, addr, len);

	return finish(rc == SWAP_E_LEAVE ? sys_bind(fd, addr, len) : rc);
}

int byway_listen(int fd, int backlog)
{
	int rc = swap_runs(fd) ? SWAP_E_LEAVE : decide_listen(fd, backlog);

	return finish(rc == SWAP_E_LEAVE ? sys_listen(fd, backlog) : rc);
}
