/* SPDX-License-Identifier: MIT */
/* hook_rresvport.c - rresvport(3), which reaches rresvport_af(3) inside libc */
#include "core/visibility.h"
#include "xbind/hook.h"

EXPORT int hook_rresvport(int *port)
{
	return hook_rresvport_af(port, AF_INET);
}
