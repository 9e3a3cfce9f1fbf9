/* SPDX-License-Identifier: MIT */
/* hook_shutdown.c - shutdown(2) of a socket that is not connected, which it outlives */
#include "core/sys.h"
#include "core/visibility.h"
#include "xbind/claim.h"
#include "xbind/config.h"
#include "xbind/hook.h"
#include "xbind/real.h"
#include "xbind/shut.h"

#include <errno.h>
#include <poll.h>

static void follow(int fd, int how, struct claim_mark mark)
{
	if (claim_has_run(mark) && claim_wait(fd, mark))
		real_shutdown(fd, how);
	if (how != SHUT_RD)
		shut_note(key_of(fd), (sys_poll(fd, POLLRDHUP, 0) & POLLRDHUP) != 0);
}

EXPORT int hook_shutdown(int fd, int how)
{
	const struct claim_mark mark = claim_mark();
	int rc = real_shutdown(fd, how);

	if (rc == -ENOTCONN && config_any())
		follow(fd, how, mark);
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return rc;
}
