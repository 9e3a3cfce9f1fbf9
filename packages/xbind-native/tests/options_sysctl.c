/* SPDX-License-Identifier: MIT */
/*
 * options_sysctl.c - default values that differ between the two namespaces
 *
 * An option that was not set gets the default of the target namespace. One that was set is kept,
 * even if its value is the default at home. tests/CMakeLists.txt sets the sysctls.
 */
#include "support/child.h"
#include "support/pair.h"

#include <netinet/tcp.h>

#define SO_TXREHASH_        74 /* not in every libc */
#define TCP_RTO_MAX_MS_     44
#define TCP_RTO_MIN_US_     45
#define IPV6_AUTOFLOWLABEL_ 70

#define EARLY 16   /* sockets that were made first */
#define SHUT  1100 /* sockets; more than 1024 */

struct row {
	const char *what;
	int domain, type, level, name;
	int own;    /* default of the program's own namespace */
	int target; /* default of the target namespace */
	int other;  /* a third value */
};

static const struct row rows[] = {
    {"ttl", AF_INET, SOCK_STREAM, IPPROTO_IP, IP_TTL, 64, 77, 33},
    {"ttl of udp", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TTL, 64, 77, 33},
    {"mtu discovery", AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MTU_DISCOVER, 1, 0, 2},
    {"hops", AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 55, 33},
    {"v6only", AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 0},
    {"v6only of udp", AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 0},
    {"keep idle", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE, 7200, 111, 50},
    {"keep interval", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPINTVL, 75, 11, 50},
    {"keep count", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT, 9, 3, 5},
    {"syn count", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_SYNCNT, 6, 2, 4},
    {"linger", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_LINGER2, 60, 22, 30},
    {"receive buffer", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, 131072, 65536, 40000},
    {"send buffer", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_SNDBUF, 16384, 32768, 40000},
    {"flow labels", AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL_, 1, 0, 0},
    {"longest timeout", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_RTO_MAX_MS_, 120000, 60000, 30000},
    {"shortest timeout", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_RTO_MIN_US_, 200000, 100000, 40000},
    {"rehash", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_TXREHASH_, 1, 0, 0},
};

static bool is_buffer(const struct row *row)
{
	return row->level == SOL_SOCKET && (row->name == SO_SNDBUF || row->name == SO_RCVBUF);
}

/* Sets the option, unless value is negative, and binds. Return: the option afterwards. */
static int after_bind(const struct row *row, int value)
{
	int fd = socket(row->domain, row->type, 0);
	int is;

	if (value >= 0) /* a buffer reads as twice that */
		CHECK_EQ(pair_set(fd, row->level, row->name, is_buffer(row) ? value / 2 : value),
		         0);
	CHECK_EQ(pair_bind_any(fd, row->domain, 0), 0);
	CHECK(pair_is_there(fd));
	is = pair_option(fd, row->level, row->name);
	close(fd);
	return is;
}

static void check(const struct row *row, int value, int expected)
{
	int is = after_bind(row, value);

	if (is != expected)
		FAIL("%s: set to %d it is %d, not %d", row->what, value, is, expected);
}

/* SO_TXREHASH exists since Linux 6.0, the TCP timeouts since later versions. In a user namespace
 * older kernels hide the sysctl that would make the namespaces differ. */
static bool is_known(const struct row *row)
{
	int fd = socket(row->domain, row->type, 0), is;
	int rc = getsockopt(fd, row->level, row->name, &is, &(socklen_t){sizeof(is)});

	CHECK(rc == 0 || errno == ENOPROTOOPT);
	close(fd);
	return rc == 0 &&
	       (row->name != SO_TXREHASH_ || access("/proc/sys/net/core/txrehash", F_OK) == 0);
}

/* Before Linux 5.14 a buffer that was set to its default size looks like one that was not set. */
static bool is_told(const struct row *row)
{
	return !is_buffer(row) || pair_tells_buffer_lock();
}

static void test_rows(void)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!is_known(&rows[i]))
			continue;
		check(&rows[i], -1, pair_preloaded() ? rows[i].target : rows[i].own);
		if (is_told(&rows[i]))
			check(&rows[i], rows[i].own, rows[i].own);
		check(&rows[i], rows[i].other, rows[i].other);
		check(&rows[i], -1, pair_preloaded() ? rows[i].target : rows[i].own);
	}
}

/* An option that was set to its default and then reset counts as never set. */
static void test_resets(void)
{
	static const struct {
		struct row row;
		int reset;
	} resets[] = {
	    {{"ttl", AF_INET, SOCK_STREAM, IPPROTO_IP, IP_TTL, 64, 77, 0}, -1},
	    {{"hops", AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 55, 0}, -1},
	    {{"linger", AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_LINGER2, 60, 22, 0}, 0},
	    {{"rehash", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_TXREHASH_, 1, 0, 0}, -1},
	};

	for (size_t i = 0; i < COUNT(resets); i++) {
		const struct row *row = &resets[i].row;
		int fd = socket(row->domain, row->type, 0), is;

		if (!is_known(row)) {
			close(fd);
			continue;
		}
		CHECK_EQ(pair_set(fd, row->level, row->name, row->own), 0);
		CHECK_EQ(pair_set(fd, row->level, row->name, resets[i].reset), 0);
		CHECK_EQ(pair_bind_any(fd, row->domain, 0), 0);
		is = pair_option(fd, row->level, row->name);
		if (is != (pair_preloaded() ? row->target : row->own))
			FAIL("%s: given back it is %d", row->what, is);
		close(fd);
	}
}

/* The record is not displaced by many other sockets that are shut down, as by reset connections. */
static void test_shut(void)
{
	int fds[EARLY];

	for (int i = 0; i < EARLY; i++) {
		fds[i] = pair_socket(SOCK_STREAM);
		CHECK_EQ(pair_set(fds[i], IPPROTO_IP, IP_TTL, 64), 0);
	}
	for (int i = 0; i < SHUT; i++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK_FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN);
		close(fd);
	}
	for (int i = 0; i < EARLY; i++) {
		CHECK_EQ(pair_bind(fds[i], 0), 0);
		CHECK_EQ(pair_option(fds[i], IPPROTO_IP, IP_TTL), 64);
		close(fds[i]);
	}
}

/* Any value but 0 reads as 1, which is the default at home. */
static void test_booleans(void)
{
	static const int names[] = {IPV6_V6ONLY, IPV6_AUTOFLOWLABEL_};
	struct row row = {
	    .what = "a boolean", .domain = AF_INET6, .type = SOCK_STREAM, .level = IPPROTO_IPV6};

	for (size_t i = 0; i < COUNT(names); i++) {
		row.name = names[i];
		check(&row, 7, 1);
	}
}

/* For some options the kernel reads just one byte, so the library must not read more. */
static void test_byte(void)
{
	static const unsigned char ttl[] = {64, 1, 1, 1};
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_TTL, ttl, 1), 0);
	CHECK_EQ(pair_bind_any(fd, AF_INET, 0), 0);
	CHECK_EQ(pair_option(fd, IPPROTO_IP, IP_TTL), ttl[0]);
	close(fd);
}

static void check_congestion(const char *set, const char *expected)
{
	int fd = pair_socket(SOCK_STREAM);
	char is[16] = "";
	socklen_t len = sizeof(is);

	if (set)
		CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, set, (socklen_t)strlen(set)),
		         0);
	CHECK_EQ(pair_bind_any(fd, AF_INET, 0), 0);
	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, is, &len), 0);
	if (strcmp(is, expected) != 0)
		FAIL("congestion control %s, not %s", is, expected);
	close(fd);
}

/* The machine decides which algorithms exist; "reno" exists everywhere, and is the target's
 * default. */
static void test_congestion(void)
{
	char own[16] = "";
	socklen_t len = sizeof(own);
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, own, &len), 0);
	close(fd);
	check_congestion(NULL, pair_preloaded() ? "reno" : own);
	check_congestion(own, own);
	check_congestion("reno", "reno");
}

/* The mark in a buffer that was set may exceed the target's limit. One that was set before a
 * smaller buffer is larger than the buffer. */
static void test_mark(void)
{
	static const int calls[][2][2] = {
	    {{SO_RCVBUF, 100000}, {SO_RCVLOWAT, 90000}},
	    {{SO_RCVLOWAT, 60000}, {SO_RCVBUF, 20000}},
	};

	for (size_t i = 0; i < COUNT(calls); i++) {
		int fd = pair_socket(SOCK_STREAM);

		for (int call = 0; call < 2; call++)
			CHECK_EQ(pair_set(fd, SOL_SOCKET, calls[i][call][0], calls[i][call][1]), 0);
		CHECK_EQ(pair_bind_any(fd, AF_INET, 0), 0);
		for (int call = 0; call < 2; call++) {
			const int name = calls[i][call][0], value = calls[i][call][1];

			CHECK_EQ(pair_option(fd, SOL_SOCKET, name),
			         name == SO_RCVBUF ? 2 * value : value);
		}
		close(fd);
	}
}

/* A connected socket has a port and may lose it again. Each case is a child, where no default is
 * known yet. */
static void check_connected(int set, int expected)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_connect(fd, 9), 0);
	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_TTL, set), 0);
	CHECK_EQ(pair_disconnect(fd), 0);
	CHECK(pair_bind_any(fd, AF_INET, 0) == 0 && pair_is_there(fd));
	CHECK_EQ(pair_option(fd, IPPROTO_IP, IP_TTL), expected);
}

static void test_connected(void)
{
	check_connected(64, 64);
}

static void test_connected_and_reset(void)
{
	check_connected(-1, pair_preloaded() ? 77 : 64);
}

static int segment_of(int fd)
{
	return pair_option(fd, IPPROTO_TCP, TCP_MAXSEG);
}

/* A segment size that a connection has found does not count as set; one that was set is kept. */
static void test_segment(void)
{
	const struct sockaddr_in addr = pair_addr(0);
	int listener = pair_socket(SOCK_STREAM), fd = pair_socket(SOCK_STREAM), found;
	const int fresh = segment_of(fd), small = 1000;
	long (*call)(long, ...) = (long (*)(long, ...))libc_unfollowed("syscall");

	CHECK_EQ(pair_set(listener, IPPROTO_TCP, TCP_MAXSEG, small), 0);
	CHECK_EQ(call(SYS_bind, listener, &addr, sizeof(addr)), 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(pair_connect(fd, pair_port(listener)), 0);
	CHECK_EQ(pair_disconnect(fd), 0);
	found = segment_of(fd);
	CHECK(found != fresh);
	CHECK_EQ(pair_bind_any(fd, AF_INET, 0), 0);
	CHECK_EQ(segment_of(fd), pair_preloaded() ? fresh : found);
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_MAXSEG, small), 0);
	CHECK_EQ(pair_bind_any(fd, AF_INET, 0), 0);
	CHECK_EQ(segment_of(fd), small);
	close(fd);
	close(listener);
}

int main(void)
{
	RUN_BY(child_run, test_connected); /* first: binds of the others make defaults known */
	RUN_BY(child_run, test_connected_and_reset);
	RUN(test_congestion);
	RUN(test_mark);
	RUN(test_byte);
	RUN(test_segment);
	test_needs_ipv6();
	RUN(test_rows);
	RUN(test_resets);
	RUN(test_shut);
	RUN(test_booleans);
	return 0;
}
