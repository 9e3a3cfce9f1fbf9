/* SPDX-License-Identifier: MIT */
#include "xbind/byway.h"

#include "core/sys.h"
#include "xbind/hook.h"
#include "xbind/swap.h"

int byway_bind(int fd, const void *addr, socklen_t len)
{
	int rc = swap_runs(fd) ? SWAP_E_LEAVE : decide_bind(fd, addr, len);

	return hook_result(rc == SWAP_E_LEAVE ? sys_bind(fd, addr, len) : rc);
}

int byway_listen(int fd, int backlog)
{
	int rc = swap_runs(fd) ? SWAP_E_LEAVE : decide_listen(fd, backlog);

	return hook_result(rc == SWAP_E_LEAVE ? sys_listen(fd, backlog) : rc);
}
