/* SPDX-License-Identifier: MIT */
/*
 * test_namespaces.c - programs that enter a third network namespace, or receive sockets of one
 *
 * With XBIND=*, or * for one protocol, sockets of the third namespace stay there. A listed port
 * moves to the target namespace from wherever it is.
 */
#include "support/child.h"
#include "support/clone.h"
#include "support/forbid.h"
#include "support/pair.h"
#include "support/pass.h"

#include <fcntl.h>
#include <sched.h>

static bool all(int type)
{
	const char *list = getenv("XBIND");

	return strcmp(list, "*") == 0 ||
	       strncmp(list, type == SOCK_DGRAM ? "udp/*" : "tcp/*", strlen("udp/*")) == 0;
}

/* fd, of the third namespace like other, has been bound: checks where it is now. */
static void check_place(int fd, int type, int other)
{
	if (pair_preloaded() && !all(type))
		CHECK(pair_is_there(fd));
	else
		CHECK(pair_is_beside(fd, other));
}

static void test_third_namespace(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int before = pair_socket(SOCK_STREAM), listener, stream, datagram, other, after;

	CHECK(home >= 0);
	if (unshare(CLONE_NEWNET) < 0)
		return; /* an ordinary user may not */
	stream = pair_socket(SOCK_STREAM);
	datagram = pair_socket(SOCK_DGRAM);
	listener = pair_socket(SOCK_STREAM);
	other = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind_any(stream, AF_INET, 3100), 0);
	check_place(stream, SOCK_STREAM, other);
	CHECK_EQ(pair_bind_any(datagram, AF_INET, 3100), 0);
	check_place(datagram, SOCK_DGRAM, other);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK(pair_is_beside(listener, other));
	CHECK_EQ(pair_bind_any(before, AF_INET, 3101), 0);
	CHECK_EQ(setns(home, CLONE_NEWNET), 0);
	CHECK(pair_is_there(before));
	after = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind_any(after, AF_INET, 3102), 0);
	CHECK(pair_is_there(after));
	CHECK_EQ(pair_bind_any(other, AF_INET, 3103), 0);
	check_place(other, SOCK_STREAM, listener);
}

static void bind_as_child(void)
{
	int fd = pair_socket(SOCK_STREAM), other = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind_any(fd, AF_INET, 3104), 0);
	check_place(fd, SOCK_STREAM, other);
}

/* Sends sockets of the third namespace to a process that has never been there. */
static void send_socket(int to)
{
	const int fds[2] = {pair_socket(SOCK_STREAM), pair_socket(SOCK_STREAM)};

	CHECK_EQ(pass_send(to, "", 1, fds, 2), 1);
}

static void bind_received(int from)
{
	int fds[2] = {-1, -1};

	CHECK_EQ(pass_receive(from, fds, 2, 0), 1);
	CHECK_EQ(pair_bind_any(fds[0], AF_INET, 3105), 0);
	check_place(fds[0], SOCK_STREAM, fds[1]);
	close(fds[0]);
	close(fds[1]);
}

/* clone(2) puts the child into a new namespace, so the library sees no unshare(2). */
static void test_cloned(void)
{
	int ends[2];
	pid_t child;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	fflush(stdout);
	child = clone_with(CLONE_NEWNET);
	if (child == 0) {
		bind_as_child();
		send_socket(ends[1]);
		_exit(0);
	}
	if (child > 0) { /* an ordinary user may not */
		child_await(child);
		bind_received(ends[0]);
	}
	close(ends[0]);
	close(ends[1]);
}

/* Enters a third namespace with another default. Return: false if that is not permitted. */
static bool enter_other(const char *sysctl, const char *value)
{
	const size_t len = strlen(value);
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return false; /* an ordinary user may not */
	fd = open(sysctl, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false; /* /proc/sys is read-only in a container */
	CHECK_EQ(write(fd, value, len), len);
	close(fd);
	return true;
}

/* The option is set to what is the default in the third namespace, and in no other. */
static void test_boolean(void)
{
	int before = socket(AF_INET6, SOCK_STREAM, 0), fd;

	CHECK_EQ(pair_set(before, IPPROTO_IPV6, IPV6_V6ONLY, 0), 0);
	if (!enter_other("/proc/sys/net/ipv6/bindv6only", "1"))
		return;
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(pair_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	CHECK_EQ(pair_bind_any(fd, AF_INET6, 3106), 0);
	CHECK_EQ(pair_option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
}

/* An option that was not set gets the target namespace's default. */
static void bind_with_default(void)
{
	int before = pair_socket(SOCK_STREAM), fd;

	CHECK_EQ(pair_set(before, IPPROTO_IP, IP_TTL, 33), 0);
	if (!enter_other("/proc/sys/net/ipv4/ip_default_ttl", "77"))
		return;
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind_any(fd, AF_INET, 3107), 0);
	CHECK_EQ(pair_option(fd, IPPROTO_IP, IP_TTL),
	         pair_preloaded() && !all(SOCK_STREAM) ? 64 : 77);
}

/* The third namespace has other defaults than the program's first one. */
static void test_default(void)
{
	uint64_t cookie;
	int fd = pair_socket(SOCK_STREAM);

	if (pair_cookie_of(fd, &cookie)) /* else one set of defaults serves for all */
		child_run(bind_with_default);
	close(fd);
}

/* A socket whose namespace the kernel no longer tells counts as one of the first namespace. */
static void test_untold(void)
{
	int fd = pair_socket(SOCK_STREAM);

	forbid_option_by(ENOPROTOOPT, SOL_SOCKET, SO_NETNS_COOKIE);
	CHECK_EQ(pair_bind_any(fd, AF_INET, 3108), 0);
	CHECK(pair_is_there(fd));
}

int main(void)
{
	RUN_BY(child_run, test_third_namespace);
	RUN(test_cloned);
	RUN_BY(forbid_run, test_untold);
	RUN(test_default);
	test_needs_ipv6();
	RUN_BY(child_run, test_boolean);
	return 0;
}
