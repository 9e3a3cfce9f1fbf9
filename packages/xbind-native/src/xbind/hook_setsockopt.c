/* SPDX-License-Identifier: MIT */
/* hook_setsockopt.c - setsockopt(2), followed for what cannot be read back */
#include "core/visibility.h"
#include "xbind/hook.h"
#include "xbind/real.h"

#include <errno.h>

EXPORT int hook_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int rc = real_setsockopt(fd, level, name, value, len);

	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return rc;
}
