/* SPDX-License-Identifier: MIT */
/*
 * test_listen.c - XBIND=* and sockets that never call bind
 *
 * listen without bind takes its port in the target namespace; a socket that only connects or sends
 * stays where it is, as do its packets.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"
#include "support/watched.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/un.h>

static void test_listen_without_bind(void)
{
	int domains[] = {AF_INET, AF_INET6};

	for (int i = 0; i < 2; i++) {
		int fd = socket(domains[i], SOCK_STREAM, 0);

		errno = 77;
		CHECK_EQ(listen(fd, 5), 0);
		CHECK_EQ(errno, 77);
		CHECK(pair_port(fd) > 0);
		CHECK(pair_is_there(fd));
		CHECK_EQ(listen(fd, 10), 0);
		close(fd);
	}
}

/* If the library cannot tell what a socket is, listen fails rather than open the port at home. */
static void test_listen_forbidden(void)
{
	int tcp = pair_socket(SOCK_STREAM), bound = pair_socket(SOCK_STREAM);
	int local = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	CHECK_EQ(pair_bind(bound, 0), 0);
	CHECK_EQ(bind(local, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0); /* any name */
	forbid(SYS_getsockopt);
	CHECK_EQ(listen(tcp, 5), pair_preloaded() ? -1 : 0);
	if (pair_preloaded())
		CHECK_EQ(errno, FORBIDDEN);
	CHECK_EQ(pair_port(tcp) == 0, pair_preloaded());
	CHECK_EQ(listen(bound, 5), 0);
	CHECK_EQ(listen(local, 5), 0);
}

/* If the kernel does not tell a socket's namespace, it counts as the program's own. */
static void test_listen_without_cookie(void)
{
	int fd = pair_socket(SOCK_STREAM);

	forbid_option(SOL_SOCKET, SO_NETNS_COOKIE);
	CHECK_EQ(listen(fd, 5), 0);
	CHECK_EQ(pair_is_elsewhere(fd), pair_preloaded());
}

/* A program that sandboxes itself between bind and listen: few calls are made for a bound
 * socket. */
static void test_listen_shut_in(void)
{
	static const long calls[] = {SYS_listen, SYS_getsockopt, SYS_getsockname, SYS_exit_group};
	int tcp = pair_socket(SOCK_STREAM), mptcp = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	CHECK_EQ(pair_bind_any(tcp, AF_INET, 0), 0);
	if (mptcp >= 0)
		CHECK_EQ(pair_bind_any(mptcp, AF_INET, 0), 0);
	forbid_others(calls, COUNT(calls));
	CHECK_EQ(listen(tcp, 5), 0);
	if (mptcp >= 0)
		CHECK_EQ(listen(mptcp, 5), 0);
}

static int shut_gave; /* 0 or errno */

static void shut_watched(void)
{
	shut_gave = error_of(shutdown(watched.fd, SHUT_RD));
}

static bool is_shut(void)
{
	struct pollfd entry = {.fd = watched.fd, .events = POLLRDHUP};

	return poll(&entry, 1, 0) != 1 || entry.revents & POLLRDHUP;
}

static void listen_watched(void)
{
	CHECK_EQ(listen(watched.fd, 5), 0);
}

/* shutdown(2) fails before listen and ends the listener afterwards; it cannot do both. */
static void test_shut_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_beside(listen_watched, CALL_FCNTL, F_GETFD, shut_watched, is_shut);
	CHECK_EQ(pair_option(watched.fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	CHECK_EQ(shut_gave, 0);
}

/* Nobody listens in either namespace: connection refused shows which one was asked. */
static void clients_stay(int domain, const void *addr, const void *other, socklen_t len)
{
	int tcp = socket(domain, SOCK_STREAM, 0), udp = socket(domain, SOCK_DGRAM, 0);
	int reference = pair_socket(SOCK_DGRAM);

	CHECK_FAILS(connect(tcp, addr, len), ECONNREFUSED);
	CHECK(pair_is_beside(tcp, reference));
	CHECK_EQ(sendto(udp, "x", 1, 0, addr, len), 1);
	CHECK_EQ(connect(udp, addr, len), 0);
	CHECK(pair_is_beside(udp, reference));
	CHECK_FAILS(bind(udp, other, len), EINVAL);
	CHECK(pair_is_beside(udp, reference));
	close(reference);
	close(tcp);
	close(udp);
}

static void test_clients_stay(void)
{
	struct sockaddr_in addr = pair_addr(4444), other = pair_addr(4445);
	struct sockaddr_in6 addr6 = pair_addr6(4444), other6 = pair_addr6(4445);

	clients_stay(AF_INET, &addr, &other, sizeof(addr));
	clients_stay(AF_INET6, &addr6, &other6, sizeof(addr6));
}

static int unseen;

/* Runs this program once more, without the library. */
static void bind_unseen(void)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", unseen);
	unsetenv("LD_PRELOAD");
	execl("/proc/self/exe", "test_listen", number, NULL);
}

/* A socket that was bound out of sight to an address without a port listens on that address. */
static void test_bound_unseen(void)
{
	struct sockaddr_in name = {0};
	socklen_t len = sizeof(name);

	if (!forbid_works())
		return;
	unseen = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(pair_set(unseen, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
	child_run(bind_unseen);
	CHECK_EQ(listen(unseen, 5), 0);
	CHECK_EQ(getsockname(unseen, (struct sockaddr *)&name, &len), 0);
	CHECK_EQ(ntohl(name.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK(!pair_is_elsewhere(unseen));
	close(unseen);
}

static void test_wrong_sockets(void)
{
	int pair[2];

	CHECK_FAILS(listen(-1, 5), EBADF);
	CHECK(listen(0, 5) < 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_FAILS(listen(pair[0], 5), EINVAL);
	close(pair[0]);
	close(pair[1]);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return pair_bind(atoi(argv[1]), 0) < 0;
	RUN_BY(forbid_run, test_listen_forbidden);
	RUN_BY(forbid_run, test_listen_without_cookie);
	RUN_BY(forbid_run, test_listen_shut_in);
	RUN_BY(forbid_run, test_shut_meanwhile);
	RUN(test_bound_unseen);
	RUN(test_wrong_sockets);
	test_needs_ipv6();
	RUN(test_listen_without_bind);
	RUN(test_clients_stay);
	return 0;
}
