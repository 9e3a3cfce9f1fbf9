/* SPDX-License-Identifier: MIT */
/*
 * hook_setsockopt.c - setsockopt(2), followed for what cannot be read back
 *
 * Most options can be read from the socket when it moves, so most calls cost one look into a table
 * and nothing else. An option that may have been set to its default costs one system call, for the
 * socket's key, and the first time a look at a fresh socket. One that cannot be read back is
 * recorded, which costs some fifteen system calls.
 */
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
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Under its second name the option takes a time of two longs. */
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

/* A negative time needs a note. Once there has been one, every other time must take it back. */
static void note_time(int fd, int row, int64_t seconds)
{
	static _Atomic bool is_any;

	if (seconds >= 0 && !is_any)
		return;
	is_any = true;
	explicit_note(key_of(fd), row, seconds < 0);
}

/*
 * Some numbers reset an option to its default: -1 for a time to live, 0 for TCP_LINGER2. Where they
 * are ordinary values this does no harm: reading shows that they were set.
 */
static bool may_be_reset(const void *value)
{
	int number;

	memcpy(&number, value, sizeof(number));
	return number <= 0;
}

/* Only a number can do without a note, so may_be_reset() has one to look at. */
static void note_explicit(int fd, int row, const void *value, socklen_t len)
{
	const bool needs_note = explicit_needs_note(fd, row, value, len);

	if (needs_note || may_be_reset(value))
		explicit_note(key_of(fd), row, needs_note);
}

/*
 * Can this option be read from MPTCP sockets of this kernel? A fresh one is asked once. Yes where
 * the kernel has no MPTCP, hence no such socket; no where one cannot be made for another reason.
 */
static bool mptcp_reads(int fd, int row)
{
	static _Atomic enum { UNASKED, READABLE, NOT_READABLE } answers[OPTIONS_COUNT];
	const struct kind mptcp = {
	    .domain = options[row].level == IPPROTO_IPV6 ? AF_INET6 : AF_INET,
	    .type = SOCK_STREAM,
	    .protocol = IPPROTO_MPTCP_,
	};
	struct option_value value;
	bool reads;
	int rc;

	if (answers[row] != UNASKED)
		return answers[row] == READABLE;
	/* A socket with a port will not move, and the program may be forbidden to make another. */
	if (!kind_is_unbound(fd))
		return true;
	rc = defaults_ask(&mptcp, &options[row], &value);
	reads = rc == 0 ? !option_is_missing(&value) : rc == -EPROTONOSUPPORT;
	answers[row] = reads ? READABLE : NOT_READABLE;
	return reads;
}

/* Can what was set not be read back? */
static bool is_unreadable(int fd, int row)
{
	struct option_value value;

	if (!(options[row].flags & OPTION_MPTCP_UNREADABLE) || mptcp_reads(fd, row))
		return false;
	option_read(fd, &options[row], &value);
	return option_is_missing(&value);
}

static void follow(int fd, int level, int name, const void *value, socklen_t len)
{
	/* For an option of IPv6 the kernel takes NULL as the number 0. */
	static const int zero;
	int row = option_find(level, name);

	if (row < 0)
		return;
	if (!value) {
		value = &zero;
		len = len < sizeof(zero) ? len : sizeof(zero);
	}
	if (options[row].how >= OPTION_EACH || is_unreadable(fd, row))
		optlog_note(fd, key_of(fd), row, value, len);
	else if (options[row].how == OPTION_TIME)
		note_time(fd, row, seconds_of(value, name != options[row].name));
	else if (options[row].flags & OPTION_EXPLICIT)
		note_explicit(fd, row, value, len);
	/* Once a device is given by its name, it no longer counts as given by its index. */
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
		explicit_note(key_of(fd), option_find(SOL_SOCKET, SO_BINDTOIFINDEX), false);
}

typedef int set_function(int fd, int level, int name, const void *value, socklen_t len);

/* bytes of a device's name that the kernel reads */
#define NAME_BYTES_MAX 15

/* Does the socket lack this OPTION_SAFETY option? Only numbers and devices can be checked. */
static bool lacks(int fd, int row, const void *value, socklen_t len)
{
	struct option_value now = {0};
	char name[NAME_BYTES_MAX + 1] = "";
	int number;

	if (row < 0 || !(options[row].flags & OPTION_SAFETY) || !value)
		return false;
	switch ((enum option_how)options[row].how) {
	case OPTION_NAME:
		option_read(fd, &options[row], &now);
		strncpy(name, value, len < NAME_BYTES_MAX ? len : NAME_BYTES_MAX);
		return strcmp(name, (const char *)now.bytes) != 0;
	case OPTION_PLAIN:
	case OPTION_INDEX:
		if (len < sizeof(number))
			return false;
		memcpy(&number, value, sizeof(number));
		if (options[row].flags & OPTION_BOOL)
			number = number != 0;
		return option_number(fd, options[row].level, options[row].name) != number;
	default:
		return false;
	}
}

/*
 * If the socket has moved meanwhile, it is set again. If the new one got the option with the
 * others, that changes nothing, and a failure does not matter. If not, it may be too late, since
 * the new one has a port.
 */
static int set_and_follow(set_function *set, int fd, int level, int name, const void *value,
                          socklen_t len)
{
	const struct claim_mark mark = claim_mark();
	int rc = set(fd, level, name, value, len);

	if (rc >= 0 && config_any()) {
		follow(fd, level, name, value, len);
		if (claim_has_run(mark) && claim_wait(fd, mark))
			rc = set(fd, level, name, value, len);
		if (rc < 0 && !lacks(fd, option_find(level, name), value, len))
			rc = 0;
	}
	return hook_result(rc);
}

EXPORT int hook_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return set_and_follow(real_setsockopt, fd, level, name, value, len);
}

EXPORT int hook_setsockopt64(int fd, int level, int name, const void *value, socklen_t len)
{
	return set_and_follow(real_setsockopt64, fd, level, name, value, len);
}
