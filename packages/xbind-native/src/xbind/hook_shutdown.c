/* SPDX-License-Identifier: MIT */
/* hook_shutdown.c - shutdown(2), whose effect may last until the socket is bound */
#include "core/sys.h"
#include "core/visibility.h"
#include "xbind/claim.h"
#include "xbind/config.h"
#include "xbind/explicit.h"
#include "xbind/hook.h"
#include "xbind/options.h"
#include "xbind/real.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

/*
 * Does the socket stay shut down for writing once it has no peer? A stream socket that has none
 * does (the call fails with ENOTCONN); one that has a peer is reopened by connect(2) to AF_UNSPEC.
 * A datagram socket does; one that is shut down for reading as well shows that in poll(2).
 */
static bool outlasts(int fd, int how, int rc)
{
	return rc == -ENOTCONN ||
	       (rc == 0 && how == SHUT_WR && option_number(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM);
}

static int follow_shutdown(int fd, int how)
{
	const struct claim_mark mark = claim_mark();
	const int rc = real_shutdown(fd, how);

	if (!config_any() || !outlasts(fd, how, rc))
		return rc;
	if (how != SHUT_RD) {
		const socket_key key = key_of(fd);
		const int events = sys_poll(fd, POLLRDHUP, 0);

		explicit_note(key, EXPLICIT_SHUT, true);
		explicit_note(key, EXPLICIT_SHUT_BOTH, events > 0 && events & POLLRDHUP);
	}
	/* If the socket has moved meanwhile, it may listen by now. */
	return claim_has_run(mark) && claim_wait(fd, mark) ? real_shutdown(fd, how) : rc;
}

EXPORT int hook_shutdown(int fd, int how)
{
	return hook_result(follow_shutdown(fd, how));
}
