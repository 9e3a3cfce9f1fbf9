/* SPDX-License-Identifier: MIT */
/* step_option.c - options by number, with any value */
#include "differ/differ.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Only `there` bytes of the value are readable, whatever its length. */
static void set_option(int fd, int level, int name, const void *value, size_t there, socklen_t len)
{
	if (is_bounded(level, name))
		return;
	say("setsockopt %d %d %d ", fd, level, name);
	if (value)
		say_bytes(value, there);
	say(" len %d", (int)len);
	SAY_CALL(setsockopt(fd, level, name, value, len));
}

/* UDP's own options are 100 to 104, those of UDP-Lite 10 and 11. */
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
	/* A mark past the limits makes the buffer larger than a program may set it. */
	if (level == SOL_SOCKET && name == SO_RCVLOWAT)
		number &= 0xfffff;
	/* If the value is a descriptor, 1000 would be the connection that is kept after chroot:
	 * xbind(7). */
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

/* A system call that the library does not see. */
static void set_out_of_sight(int fd, int level, int name, int value)
{
	say("raw setsockopt %d %d %d %d", fd, level, name, value);
	SAY_CALL(syscall(SYS_setsockopt, fd, level, name, &value, sizeof(value)));
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
	                               {SOL_SOCKET, SO_ZEROCOPY},
	                               {SOL_SOCKET, SO_LOCK_FILTER},
	                               {SOL_SOCKET, SO_DETACH_FILTER}};
	int row = (int)below(28), value = one_in(4) ? random_int() : !one_in(4), fd = a_socket();

	if (names[row][1] == SO_RCVLOWAT)
		value &= 0xfffff;

	/* An option that was set to its default behind the library's back counts as not set:
	 * xbind(7). */
	if (one_in(5) && !sequence.there)
		set_out_of_sight(fd, names[row][0], names[row][1], value);
	else
		set_option(fd, names[row][0], names[row][1], &value, sizeof(value), sizeof(value));
}

/* Sets the default at home, the one there, or another value: tests/CMakeLists.txt has the
 * sysctls. A buffer is set to half of what it reads. */
void set_default(int fd)
{
	static const struct {
		int level, name, values[3];
	} rows[] = {
	    {IPPROTO_IP, IP_TTL, {64, 77, -1}},
	    {IPPROTO_IP, IP_MTU_DISCOVER, {0, 1, 2}},
	    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, {64, 55, -1}},
	    {IPPROTO_IPV6, IPV6_V6ONLY, {0, 1, 7}},
	    {IPPROTO_IPV6, 70 /* AUTOFLOWLABEL */, {0, 1, 7}},
	    {IPPROTO_TCP, TCP_KEEPIDLE, {7200, 111, 50}},
	    {IPPROTO_TCP, TCP_KEEPINTVL, {75, 11, 50}},
	    {IPPROTO_TCP, TCP_KEEPCNT, {9, 3, 5}},
	    {IPPROTO_TCP, TCP_SYNCNT, {6, 2, 4}},
	    {IPPROTO_TCP, TCP_LINGER2, {60, 22, 0}},
	    {IPPROTO_TCP, TCP_LINGER2, {-1, 30, 0}},
	    {IPPROTO_TCP, 44 /* RTO_MAX_MS */, {120000, 60000, 30000}},
	    {IPPROTO_TCP, 45 /* RTO_MIN_US */, {200000, 100000, 40000}},
	    {IPPROTO_TCP, 46 /* DELACK_MAX_US */, {40000, 100000, 200000}},
	    {SOL_SOCKET, 74 /* TXREHASH */, {0, 1, -1}},
	    {SOL_SOCKET, SO_RCVBUF, {131072 / 2, 65536 / 2, 400000 / 2}},
	    {SOL_SOCKET, SO_SNDBUF, {16384 / 2, 32768 / 2, 400000 / 2}},
	    {SOL_SOCKET, 72 /* BUF_LOCK */, {0, 1, 3}},
	    {SOL_SOCKET, SO_RCVLOWAT, {20000, 50000, 120000}},
	    {IPPROTO_TCP, TCP_WINDOW_CLAMP, {0, 20000, 131072}},
	    {IPPROTO_TCP, 25 /* NOTSENT_LOWAT */, {-1, 16384, 0}},
	    {IPPROTO_IP, IP_TOS, {0, 8, 16}},
	    {SOL_SOCKET, SO_PRIORITY, {0, 6, 2}},
	};
	const size_t row = below(sizeof(rows) / sizeof(rows[0]));
	const int value = rows[row].values[below(3)];

	set_option(fd, rows[row].level, rows[row].name, &value, sizeof(value), sizeof(value));
}

void step_option_default(void)
{
	set_default(a_socket());
}
