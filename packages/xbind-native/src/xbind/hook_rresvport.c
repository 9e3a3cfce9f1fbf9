/* SPDX-License-Identifier: MIT */
/* hook_rresvport.c - rresvport(3), which in libc calls rresvport_af(3) past the hook */
#include "core/visibility.h"
#include "xbind/hook.h"

EXPORT int hook_rresvport(int *port)
{
	return hook_rresvport_af(port, AF_INET);
}
