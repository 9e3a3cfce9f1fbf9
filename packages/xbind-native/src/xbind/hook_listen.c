/* SPDX-License-Identifier: MIT */
/* hook_listen.c - listen(2) without bind, which takes a port of the kernel's choice */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/home.h"
#include "xbind/hook.h"
#include "xbind/log.h"
#include "xbind/real.h"
#include "xbind/swap.h"

int decide_listen(int fd, int backlog)
{
	struct swap_call call = {.fd = fd, .listen = true, .backlog = backlog};
	int rc;

	if (!config_all(CONFIG_TCP) || !kind_is_unbound(fd))
		return SWAP_E_LEAVE;
	rc = kind_and_key(fd, &call.kind, &call.key);
	if (rc < 0) { /* its port would open at home */
		log_failed(fd, CONFIG_TCP, 0, 0, "asking what socket it is", rc);
		return rc;
	}
	if (rc != 0 || call.kind.type != SOCK_STREAM || !home_has(fd))
		return SWAP_E_LEAVE;
	if (kind_has_address(fd)) /* without a port: it has moved, or would lose that address */
		return SWAP_E_LEAVE;
	return swap_socket(&call);
}

EXPORT int hook_listen(int fd, int backlog)
{
	int rc = decide_listen(fd, backlog);

	if (rc == SWAP_E_LEAVE)
		rc = real_listen(fd, backlog);
	return hook_result(rc);
}
