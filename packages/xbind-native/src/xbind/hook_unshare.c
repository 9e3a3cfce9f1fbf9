/* SPDX-License-Identifier: MIT */
/* hook_unshare.c - unshare(2), by which a program makes a network namespace and goes into it */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/home.h"
#include "xbind/hook.h"
#include "xbind/real.h"

#include <errno.h>
#include <linux/sched.h>

EXPORT int hook_unshare(int flags)
{
	int rc;

	if (config_any() && flags & CLONE_NEWNET)
		home_note();
	rc = real_unshare(flags);
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return rc;
}
