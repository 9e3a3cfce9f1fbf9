/* SPDX-License-Identifier: MIT */
/* hook_setns.c - setns(2), by which a program goes into another network namespace */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/home.h"
#include "xbind/hook.h"
#include "xbind/real.h"

#include <errno.h>
#include <linux/sched.h>

EXPORT int hook_setns(int fd, int type)
{
	int rc;

	if (config_any() && (type == 0 || type & CLONE_NEWNET))
		home_note();
	rc = real_setns(fd, type);
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return rc;
}
