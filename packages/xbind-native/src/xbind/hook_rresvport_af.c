/* SPDX-License-Identifier: MIT */
/* hook_rresvport_af.c - rresvport_af(3), whose bind inside libc no hook sees */
#include "core/visibility.h"
#include "xbind/hook.h"
#include "xbind/real.h"
#include "xbind/reserved.h"

EXPORT int hook_rresvport_af(int *port, sa_family_t family)
{
	int rc = reserved_is_listed() ? reserved_rresvport(port, family)
	                              : real_rresvport_af(port, family);

	return hook_result(rc);
}
