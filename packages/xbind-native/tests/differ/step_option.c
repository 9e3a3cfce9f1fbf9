/* SPDX-License-Identifier: MIT */
/* step_option.c - options by their numbers, with any value; and all that a socket tells of itself
 */
#include "differ/differ.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMES     128
#define SHOWN_MAX 40 /* bytes of a value */

static const int levels[] = {SOL_SOCKET,  IPPROTO_IP,  IPPROTO_IPV6,
                             IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};

/* What is of one moment or one socket alone, or different at each boot of a namespace. */
static bool is_chance(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_PEERCRED || name == 57 /* COOKIE */ ||
		       name == 71 /* NETNS_COOKIE */ || name == 55 /* MEMINFO */ ||
		       name == 56 /* INCOMING_NAPI_ID */ ||
		       name == 49 /* INCOMING_CPU: of the last packet */;
	if (level == IPPROTO_IP)
		return name == 52 /* PROTOCOL: the port, which the kernel may have chosen */ ||
		       name == 14 /* MTU: of the route that was used last */;
	if (level == IPPROTO_IPV6)
		return name == 24 /* MTU */ || name == 61 /* PATHMTU */;
	if (level == IPPROTO_TCP)
		return name == 11 /* INFO */ || name == 21 /* QUEUE_SEQ */ || name == 22 ||
		       name == 24 /* TIMESTAMP */ || name == 26 /* CC_INFO */ ||
		       name == 28 /* SAVED_SYN */ || name == 29 /* REPAIR_WINDOW */ ||
		       name == 33 /* FASTOPEN_KEY */ || name == 35 /* ZEROCOPY_RECEIVE */;
	return false;
}

/* Makes a descriptor, a module's program or another kind of socket, or needs a table. */
static bool is_apart(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == 20 || name == 21 || name == 66 || name == 67 /* times */ ||
		       name == 77 /* PEERPIDFD */ ||
		       name == SO_ATTACH_FILTER /* counts otherwise */;
	if (level == IPPROTO_TCP)
		return name == 31 /* ULP */ || name == 13 /* CONGESTION */;
	return (level == IPPROTO_IP || level == IPPROTO_IPV6) && name >= 64 && name < 66;
}

static void say_value(int level, int name, const void *value, size_t len)
{
	if (is_chance(level, name))
		return;
	say_bytes(value, len < SHOWN_MAX ? len : SHOWN_MAX);
}

static socklen_t a_length(void)
{
	static const socklen_t lengths[] = {0,  1,  2,  3,  5,   7,   8,
	                                    12, 16, 20, 64, 136, 264, (socklen_t)-1};

	return one_in(4) ? ONE_OF(lengths) : sizeof(int);
}

static void set_option(int fd, int level, int name, const void *value, socklen_t len)
{
	say("setsockopt %d %d %d ", fd, level, name);
	if (value)
		say_bytes(value, len < SHOWN_MAX ? len : 0);
	say(" len %d", (int)len);
	before_call();
	say_result(setsockopt(fd, level, name, value, len));
}

void step_option_any(void)
{
	static uint8_t value[1 << 10];
	int fd = a_socket(), level = ONE_OF(levels), name = (int)below(90), number = random_int();
	socklen_t len = a_length();
	bool is_null = one_in(40);

	if (is_apart(level, name))
		return;
	/* One past the limits makes the buffer larger than one may ask for. */
	if (level == SOL_SOCKET && name == SO_RCVLOWAT)
		number &= 0xfffff;
	memset(value, 0, sizeof(value));
	memcpy(value, &number, sizeof(number));
	for (size_t i = 4; i < 64 && one_in(2); i += 4) {
		number = random_int();
		memcpy(value + i, &number, sizeof(number));
	}
	set_option(fd, level, name, is_null ? NULL : value, len);
}

/* By a system call that no library sees. */
static void set_out_of_sight(int fd, int level, int name, int value)
{
	say("raw setsockopt %d %d %d %d", fd, level, name, value);
	before_call();
	say_result(syscall(SYS_setsockopt, fd, level, name, &value, sizeof(value)));
}

void step_option_common(void)
{
	static const int names[][2] = {{SOL_SOCKET, SO_REUSEADDR},
	                               {SOL_SOCKET, SO_REUSEADDR},
	                               {SOL_SOCKET, SO_REUSEPORT},
	                               {SOL_SOCKET, SO_REUSEPORT},
	                               {IPPROTO_IPV6, IPV6_V6ONLY},
	                               {IPPROTO_IP, IP_FREEBIND},
	                               {IPPROTO_IP, 24},
	                               {SOL_SOCKET, SO_OOBINLINE},
	                               {SOL_SOCKET, SO_BROADCAST},
	                               {SOL_SOCKET, SO_RCVBUF},
	                               {SOL_SOCKET, SO_SNDBUF},
	                               {SOL_SOCKET, SO_RCVLOWAT},
	                               {SOL_SOCKET, SO_TIMESTAMP},
	                               {IPPROTO_IP, IP_PKTINFO},
	                               {IPPROTO_IP, IP_RECVERR},
	                               {IPPROTO_IPV6, 49},
	                               {SOL_SOCKET, SO_PEEK_OFF},
	                               {IPPROTO_IP, IP_TOS},
	                               {IPPROTO_IP, IP_TTL},
	                               {SOL_SOCKET, SO_PRIORITY},
	                               {IPPROTO_UDP, 104},
	                               {IPPROTO_TCP, 23},
	                               {SOL_SOCKET, SO_KEEPALIVE},
	                               {IPPROTO_TCP, 9},
	                               {IPPROTO_IP, IP_RECVTTL},
	                               {SOL_SOCKET, SO_LOCK_FILTER},
	                               {SOL_SOCKET, SO_DETACH_FILTER}};
	int row = (int)below(27), value = one_in(4) ? random_int() : !one_in(4), fd = a_socket();

	if (names[row][1] == SO_RCVLOWAT)
		value &= 0xfffff;

	if (one_in(5))
		set_out_of_sight(fd, names[row][0], names[row][1], value);
	else
		set_option(fd, names[row][0], names[row][1], &value, sizeof(value));
}

/*
 * A value of the kernel's own making: the buffers of an MPTCP socket, unless set; the multicast
 * settings of a stream, which nobody can set, from the packet that it was accepted with; and the
 * segment size where there was a connection or IP_OPTIONS were set.
 */
static bool is_makeshift(int fd, int level, int name, const uint8_t *value)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int protocol = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	len = sizeof(protocol);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	if (level == SOL_SOCKET)
		return protocol == 262 &&
		       (name == SO_SNDBUF || name == SO_RCVBUF || name == SO_RCVLOWAT);
	if (level == IPPROTO_IP)
		return name == IP_MULTICAST_IF || name == IP_MULTICAST_TTL;
	if (level == IPPROTO_IPV6)
		return name == IPV6_MULTICAST_IF || name == IPV6_MULTICAST_HOPS;
	return level == IPPROTO_TCP && name == TCP_MAXSEG &&
	       (info.tcpi_state == TCP_LISTEN ||
	        memcmp(value, &info.tcpi_snd_mss, sizeof(int)) == 0);
}

void step_option_read(void)
{
	uint8_t value[300];
	int fd = a_socket(), level = ONE_OF(levels), name = (int)below(90), rc;
	socklen_t len = one_in(2) ? a_length() : below(sizeof(value));

	if (is_apart(level, name) || is_chance(level, name))
		return;
	if ((int)len > (int)sizeof(value))
		len = sizeof(value);
	memset(value, 0xaa, sizeof(value));
	say("getsockopt %d %d %d len %d", fd, level, name, (int)len);
	before_call();
	rc = getsockopt(fd, level, name, one_in(40) ? NULL : value, &len);
	say_result(rc);
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

	/* reading an error takes it away; one that the socket does not have says nothing */
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
	if (is_socket(fd))
		show_options(fd);
}
