/* SPDX-License-Identifier: MIT */
/* hook_chroot.c - chroot(2), after which the path of the control socket leads elsewhere */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/hook.h"
#include "xbind/kept.h"
#include "xbind/real.h"

#include <stdbool.h>

static int follow_chroot(const char *path)
{
	bool opened = config_any() && kept_open();
	int rc = real_chroot(path);

	if (rc < 0 && opened)
		kept_close();
	return rc;
}

EXPORT int hook_chroot(const char *path)
{
	return hook_result(follow_chroot(path));
}
