/* SPDX-License-Identifier: MIT */
/*
 * options_mptcp.c - options of an MPTCP socket, which depend on when its TCP socket was created
 *
 * pair -c compares a run without the library with one with it.
 */
#include "support/child.h"
#include "support/outcome.h"

#include <netinet/tcp.h>

static int new_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	CHECK(fd >= 0);
	return fd;
}

/* An option is passed on to connections only if the TCP socket existed when the option was set.
 * Some other options create that. */
static void test_handed_on(void)
{
	static const int before[] = {0, SO_REUSEADDR, SO_REUSEPORT};
	for (size_t i = 0; i < COUNT(before); i++) {
		int fd = new_mptcp(), peer, conn;

		if (before[i])
			set_number("before", fd, SOL_SOCKET, before[i], 0);
		set_number("stamps", fd, SOL_SOCKET, SO_TIMESTAMP, 1);
		bind_any(fd, AF_INET);
		show("listen", listen(fd, 1));
		peer = new_peer(fd, SOCK_STREAM, 0);
		conn = accept(fd, NULL, NULL);
		CHECK(conn >= 0);
		show_number("stamps", conn, SO_TIMESTAMP);
		close(conn);
		close(peer);
		close(fd);
	}
}

static void choose_congestion(const char *name)
{
	int fd = new_mptcp();
	char is[16] = "";
	socklen_t len = sizeof(is);

	set(name, fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
	set_number("after", fd, SOL_SOCKET, SO_REUSEADDR, 0);
	bind_any(fd, AF_INET);
	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, is, &len), 0);
	printf("is %s\n", is);
	close(fd);
}

/* Before it has a TCP socket, it permits any congestion control to any user. */
static void test_congestion(void)
{
	FILE *list = fopen("/proc/sys/net/ipv4/tcp_available_congestion_control", "re");
	char name[16];

	child_drop_capabilities();
	while (list && fscanf(list, "%15s", name) == 1)
		choose_congestion(name);
	if (list)
		fclose(list);
	fflush(stdout);
}

/* Nor does it check the range of these numbers before. */
static void test_range(void)
{
	static const int names[] = {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};
	const int day = 86400; /* seconds, more than TCP takes */

	for (size_t i = 0; i < COUNT(names); i++) {
		int fd = new_mptcp();

		set_number("a day", fd, IPPROTO_TCP, names[i], day);
		set_number("after", fd, SOL_SOCKET, SO_REUSEADDR, 0);
		bind_any(fd, AF_INET);
		printf("is %d\n", pair_option(fd, IPPROTO_TCP, names[i]));
		close(fd);
	}
}

int main(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		test_skip("this kernel has no MPTCP");
	close(fd);
	RUN(test_handed_on);
	RUN_BY(child_run, test_congestion);
	RUN(test_range);
	return 0;
}
