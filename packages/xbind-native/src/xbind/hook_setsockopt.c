/* SPDX-License-Identifier: MIT */
/*
 * hook_setsockopt.c - setsockopt(2), followed for what cannot be read back
 *
 * Most options can be read from the socket when it moves, so most calls pay for a look into a table
 * and nothing else. No more is asked of the kernel than the key of the socket, and only for options
 * that need it.
 */
#include "core/sys.h"
#include "core/visibility.h"
#include "xbind/claim.h"
#include "xbind/config.h"
#include "xbind/defaults.h"
#include "xbind/explicit.h"
#include "xbind/hook.h"
#include "xbind/kind.h"
#include "xbind/options.h"
#include "xbind/optlog.h"
#include "xbind/real.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A device that is given by its name is no longer one that was given by its index. */
static void note_device(int fd)
{
	explicit_note(key_of(fd), option_find(SOL_SOCKET, SO_BINDTOIFINDEX), false);
}

/* By its other name a time consists of longs. */
static int64_t seconds_of(const void *value, bool in_longs)
{
	int64_t seconds;
	long count;

	memcpy(&count, value, sizeof(count));
	if (in_longs)
		return count;
	memcpy(&seconds, value, sizeof(seconds));
	return seconds;
}

/* Only a negative time is worth a note, and whatever comes after one. */
static void note_time(int fd, int row, int64_t seconds)
{
	static _Atomic bool is_any;

	if (seconds >= 0 && !is_any)
		return;
	is_any = true;
	explicit_note(key_of(fd), row, seconds < 0);
}

/* Asked until the answer is yes, of a fresh socket. A kernel without MPTCP has no socket that is
 * silent. */
static bool mptcp_tells(int fd, int row)
{
	static _Atomic bool tells[OPTIONS_COUNT];
	const int domain = options[row].level == IPPROTO_IPV6 ? AF_INET6 : AF_INET;
	struct option_value value;
	int fresh;

	/* One with a port will not move, and its program may be forbidden to make another. */
	if (tells[row] || !kind_is_unbound(fd))
		return true;
	fresh = sys_socket(domain, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP_);
	if (fresh < 0)
		return tells[row] = fresh == -EPROTONOSUPPORT;
	option_read(fresh, &options[row], &value);
	sys_close(fresh);
	return tells[row] = !option_is_missing(&value);
}

/*
 * A number that safety hangs on can be read, but not the V6ONLY, FREEBIND and TRANSPARENT of MPTCP
 * before Linux 6.15. This socket itself is asked last, since that costs a system call.
 */
static bool is_untold(int fd, int row)
{
	struct option_value value;

	if (options[row].how != OPTION_PLAIN || !(options[row].flags & OPTION_SAFETY) ||
	    options[row].level == SOL_SOCKET || mptcp_tells(fd, row))
		return false;
	option_read(fd, &options[row], &value);
	return option_is_missing(&value);
}

static void follow(int fd, int level, int name, const void *value, socklen_t len)
{
	/* The kernel takes NULL for a number that is 0, of IPv6's options. */
	static const int zero;
	int row = option_find(level, name);

	if (row < 0)
		return;
	if (!value) {
		value = &zero;
		len = len < sizeof(zero) ? len : sizeof(zero);
	}
	if (options[row].how >= OPTION_EACH || is_untold(fd, row))
		optlog_note(fd, key_of(fd), row, value, len);
	if (options[row].how == OPTION_TIME)
		note_time(fd, row, seconds_of(value, name != options[row].name));
	else if (options[row].flags & OPTION_EXPLICIT && explicit_is_worth(fd, row, value, len))
		explicit_note(key_of(fd), row, true);
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		note_device(fd);
}

static int set_and_follow(enum real_call call, int fd, int level, int name, const void *value,
                          socklen_t len)
{
	const struct claim_mark mark = claim_mark();
	int rc = real_setsockopt(call, fd, level, name, value, len);

	if (rc < 0)
		return hook_result(rc);
	if (config_any()) {
		follow(fd, level, name, value, len);
		/* Set again on a socket that has it already, it does nothing or fails. */
		if (claim_has_run(mark) && claim_wait(fd, mark))
			real_setsockopt(call, fd, level, name, value, len);
	}
	return rc;
}

EXPORT int hook_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return set_and_follow(REAL_SETSOCKOPT, fd, level, name, value, len);
}

EXPORT int hook_setsockopt64(int fd, int level, int name, const void *value, socklen_t len)
{
	return set_and_follow(REAL_SETSOCKOPT64, fd, level, name, value, len);
}
