/* SPDX-License-Identifier: MIT */
/*
 * options.c - the table
 *
 * How it works: one list of rows (option_rows.h) makes the table and, for each level, an index from
 * the option's number to its row.
 */
#include "xbind/options.h"

#include "core/sys.h"
#include "xbind/optrecord.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define SOCKET SOL_SOCKET
#define IP     IPPROTO_IP
#define IP6    IPPROTO_IPV6
#define TCP    IPPROTO_TCP
#define UDP    IPPROTO_UDP
#define LITE   IPPROTO_UDPLITE

#define SAFETY      OPTION_SAFETY
#define UNREADABLE  OPTION_MPTCP_UNREADABLE
#define EXPLICIT    OPTION_EXPLICIT
#define BOOL        OPTION_BOOL
#define POLICY      OPTION_POLICY
#define ONE_SOURCE  OPTION_ONE_SOURCE
#define ALL_SOURCES OPTION_ALL_SOURCES

#define INT  4                     /* bytes */
#define LIST OPTRECORD_LARGE_BYTES /* the kernel takes longer ones where sysctls allow it */

/*
 * A timeout has two names: one with a layout of two longs, and since Linux 5.1 one with 64 bits
 * each. Whichever was set, it is read by the one with 64 bits.
 */
#if __SIZEOF_LONG__ == 8
#define RCVTIMEO_64    SO_RCVTIMEO
#define SNDTIMEO_64    SO_SNDTIMEO
#define RCVTIMEO_OTHER 66
#define SNDTIMEO_OTHER 67
#else
#define RCVTIMEO_64    66
#define SNDTIMEO_64    67
#define RCVTIMEO_OTHER 20
#define SNDTIMEO_OTHER 21
#endif

#define AS_OPTION(level_, name_, label, bytes_, how_, flags_, other_)                              \
	{                                                                                          \
	    .level = level_,                                                                       \
	    .name = name_,                                                                         \
	    .how = OPTION_##how_,                                                                  \
	    .flags = flags_,                                                                       \
	    .other = other_,                                                                       \
	    .bytes = bytes_,                                                                       \
	},
const struct option options[] = {OPTION_ROWS(AS_OPTION)};

#define AS_ROW_NUMBER(level, name, label, ...) ROW_##level##_##label,
enum { OPTION_ROWS(AS_ROW_NUMBER) };
_Static_assert(SOL_SOCKET == 1, "a processor with numbers of its own");

/* By level and name: the row's number plus one. */
#define LEVELS (IPPROTO_UDPLITE + 1)
#define NAMES  128
_Static_assert(OPTIONS_COUNT < 255, "a row fits into a byte");

#define AS_INDEX(level, name, label, ...) [level][name] = ROW_##level##_##label + 1,
static const uint8_t rows[LEVELS][NAMES] = {
    OPTION_ROWS(AS_INDEX)[SOCKET][RCVTIMEO_OTHER] = ROW_SOCKET_RCVTIMEO + 1,
    [SOCKET][SNDTIMEO_OTHER] = ROW_SOCKET_SNDTIMEO + 1,
};

int option_find(int level, int name)
{
	if (level < 0 || level >= LEVELS || name <= 0 || name >= NAMES)
		return -1;
	return rows[level][name] - 1;
}

bool option_applies(const struct option *option, const struct kind *kind)
{
	switch (option->level) {
	case IPPROTO_IPV6:
		return kind->domain == AF_INET6;
	case IPPROTO_TCP:
		return kind->type == SOCK_STREAM;
	case IPPROTO_UDP:
		return kind->type == SOCK_DGRAM;
	case IPPROTO_UDPLITE:
		return kind->protocol == IPPROTO_UDPLITE;
	default:
		return true;
	}
}

void option_read(int fd, const struct option *option, struct option_value *ret)
{
	ret->len = option->bytes < OPTION_BYTES_MAX ? option->bytes : OPTION_BYTES_MAX;
	ret->error = sys_getsockopt(fd, option->level, option->name, ret->bytes, &ret->len);
}

bool option_is_missing(const struct option_value *value)
{
	return value->error == -ENOPROTOOPT || value->error == -EOPNOTSUPP;
}

bool option_is_hidden(int error)
{
	return error < 0 && error != -ENOPROTOOPT && error != -EOPNOTSUPP && error != -EINVAL;
}

bool option_is_same(const struct option_value *a, const struct option_value *b)
{
	return a->error == b->error && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

int option_number(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return sys_getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}
