/* SPDX-License-Identifier: MIT */
/* step_show.c - all options of a socket */
#include "differ/differ.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define NAMES     128
#define SHOWN_MAX 40 /* bytes of each value */

static void say_value(int level, int name, const void *value, size_t len)
{
	if (is_chance(level, name))
		return;
	say_bytes(value, len < SHOWN_MAX ? len : SHOWN_MAX);
}

bool is_repaired(int fd)
{
	return option_of(fd, IPPROTO_TCP, TCP_REPAIR, 0) != 0;
}

/*
 * Values that the kernel changes by itself: unset buffers of an MPTCP socket; multicast settings of
 * a stream socket, which nobody can set, from the packet that it was accepted with; the segment
 * size after a connection (in repair mode even without one) or with IP_OPTIONS; TCP_QUICKACK of a
 * connected socket; and the window of a socket that is connected or connecting and of each MPTCP
 * socket: it cannot be set before there is a connection, and a closed socket may or may not have
 * it.
 */
static bool is_makeshift(int fd, int level, int name, const uint8_t *value)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	bool is_mptcp = protocol_of(fd) == IPPROTO_MPTCP, has_peer;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	has_peer = info.tcpi_state != TCP_CLOSE && info.tcpi_state != TCP_LISTEN;
	if (level == SOL_SOCKET)
		return is_mptcp && (name == SO_SNDBUF || name == SO_RCVBUF || name == SO_RCVLOWAT);
	if (level == IPPROTO_IP)
		return name == IP_MULTICAST_IF || name == IP_MULTICAST_TTL;
	if (level == IPPROTO_IPV6)
		return name == IPV6_MULTICAST_IF || name == IPV6_MULTICAST_HOPS;
	if (level == IPPROTO_TCP && name == TCP_WINDOW_CLAMP)
		return is_mptcp || has_peer;
	if (level == IPPROTO_TCP && name == TCP_QUICKACK)
		return has_peer;
	return level == IPPROTO_TCP && name == TCP_MAXSEG &&
	       (info.tcpi_state == TCP_LISTEN || is_repaired(fd) ||
	        memcmp(value, &info.tcpi_snd_mss, sizeof(int)) == 0);
}

void step_option_read(void)
{
	uint8_t value[300];
	int fd = a_socket(), level = ONE_OF(levels), name = (int)below(90), rc;
	socklen_t len = one_in(2) ? a_length() : below(sizeof(value));

	if (is_apart(level, name) || is_chance(level, name) || has_other_defaults(fd))
		return;
	if ((int)len > (int)sizeof(value))
		len = sizeof(value);
	memset(value, 0xaa, sizeof(value));
	say("getsockopt %d %d %d len %d", fd, level, name, (int)len);
	SAY_CALL(rc = getsockopt(fd, level, name, one_in(40) ? NULL : value, &len));
	say(" len %d ", (int)len);
	if (!is_makeshift(fd, level, name, value))
		say_value(level, name, value, sizeof(value));
}

static bool is_zero(const uint8_t *value, socklen_t len)
{
	return len <= 128 &&
	       (len == 0 || (value[0] == 0 && memcmp(value, value + 1, len - 1) == 0));
}

static void show_option(int fd, int level, int name)
{
	uint8_t value[128] = {0};
	socklen_t len = sizeof(value);
	int rc = getsockopt(fd, level, name, value, &len);

	/* reading SO_ERROR clears it; options that the socket does not have are left out */
	if (rc < 0 && errno != ENOPROTOOPT && errno != EOPNOTSUPP && !is_chance(level, name))
		say(" %d.%d!%d", level, name, errno);
	if (rc < 0 || is_zero(value, len) || is_chance(level, name) ||
	    is_makeshift(fd, level, name, value))
		return;
	say(" %d.%d=%d:", level, name, (int)len);
	say_value(level, name, value, len < sizeof(value) ? len : sizeof(value));
}

static void show_filter(int fd)
{
	static uint8_t program[1 << 12];
	socklen_t count = sizeof(program) / 8; /* instructions */

	if (getsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, &count) < 0 || count == 0)
		return;
	say(" filter %d:", (int)count);
	say_bytes(program, count * 8);
}

void show_options(int fd)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		for (int name = 1; name < NAMES; name++) {
			if (!is_apart(levels[i], name) || name == 13)
				show_option(fd, levels[i], name);
		}
	}
	show_filter(fd);
}

void step_options_all(void)
{
	int fd = a_socket();

	say("options of %d", fd);
	if (is_socket(fd) && !has_other_defaults(fd))
		show_options(fd);
}
