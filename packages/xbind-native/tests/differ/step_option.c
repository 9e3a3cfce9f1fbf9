/* SPDX-License-Identifier: MIT */
/* step_option.c - options by their numbers, with any value */
#include "differ/differ.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the value so many bytes are there, whatever its length says. */
static void set_option(int fd, int level, int name, const void *value, size_t there, socklen_t len)
{
	say("setsockopt %d %d %d ", fd, level, name);
	if (value)
		say_bytes(value, there);
	say(" len %d", (int)len);
	before_call();
	say_result(setsockopt(fd, level, name, value, len));
}

/* Those of UDP have high numbers, and of UDP-Lite there are two. */
static int a_name(int level)
{
	if (level == IPPROTO_UDP && !one_in(3))
		return 100 + (int)below(5);
	if (level == IPPROTO_UDPLITE && one_in(2))
		return 10 + (int)below(2);
	return (int)below(90);
}

void step_option_any(void)
{
	static const size_t lengths[] = {1, 2, 4, 4, 8, 12, 16, 20, 64, 264};
	uint8_t value[264] = {0};
	int fd = a_socket(), level = ONE_OF(levels), name = a_name(level), number = random_int();
	socklen_t len = a_length();
	size_t there = ONE_OF(lengths);

	if (is_apart(level, name) || (sequence.execs && is_unreadable(level, name)))
		return;
	/* One past the limits makes the buffer larger than one may ask for. */
	if (level == SOL_SOCKET && name == SO_RCVLOWAT)
		number &= 0xfffff;
	/* Where it means a descriptor, 1000 is the connection that is kept behind chroot: xbind(7).
	 */
	if (level == SOL_SOCKET && name >= 50 && name <= 52)
		number = (int)below(20);
	memcpy(value, &number, sizeof(number));
	for (size_t i = 4; i < 64 && one_in(2); i += 4) {
		number = random_int();
		memcpy(value + i, &number, sizeof(number));
	}
	if (one_in(40))
		set_option(fd, level, name, NULL, 0, len);
	else if (one_in(4))
		set_option(fd, level, name, at_the_edge(value, there, false), there, len);
	else
		set_option(fd, level, name, value, len < sizeof(value) ? len : 0, len);
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
		set_option(fd, names[row][0], names[row][1], &value, sizeof(value), sizeof(value));
}
