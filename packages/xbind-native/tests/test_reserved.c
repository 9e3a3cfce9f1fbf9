/* SPDX-License-Identifier: MIT */
/*
 * test_reserved.c - bindresvport(3) and rresvport(3)
 *
 * All ports are listed, or the one of ONLY.
 */
#include "support/child.h"
#include "support/pair.h"

#include <netdb.h>

#ifdef __GLIBC__

int bindresvport(int fd, struct sockaddr_in *addr);

static void check_reserved(int fd)
{
	CHECK(fd >= 0);
	CHECK(pair_port(fd) >= 512 && pair_port(fd) < 1024);
	CHECK(pair_is_there(fd));
}

static void test_bindresvport(void)
{
	int types[] = {SOCK_STREAM, SOCK_DGRAM};

	for (int i = 0; i < 2; i++) {
		struct sockaddr_in addr = {.sin_family = AF_INET};
		int fd = pair_socket(types[i]), other = pair_socket(types[i]);

		CHECK_EQ(bindresvport(fd, &addr), 0);
		check_reserved(fd);
		CHECK_EQ(ntohs(addr.sin_port), pair_port(fd));
		CHECK_EQ(bindresvport(other, NULL), 0);
		check_reserved(other);
		CHECK(pair_port(other) != pair_port(fd));
		CHECK_FAILS(bindresvport(fd, &addr), EINVAL);
		close(fd);
		close(other);
	}
}

/* Each call continues after the port of the last one, even if that could be shared. */
static void test_shareable(void)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = pair_socket(SOCK_DGRAM);
		CHECK_EQ(pair_set(fds[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
		CHECK_EQ(bindresvport(fds[i], NULL), 0);
		check_reserved(fds[i]);
		for (int j = 0; j < i; j++)
			CHECK(pair_port(fds[i]) != pair_port(fds[j]));
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_other_family(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET6};
	int fd = pair_socket(SOCK_STREAM);

	CHECK_FAILS(bindresvport(fd, &addr), EAFNOSUPPORT);
	close(fd);
	/* The family is checked before the pointer. */
	CHECK_FAILS(rresvport_af(NULL, AF_UNIX), EAFNOSUPPORT);
}

static void test_rresvport(void)
{
	int port = 700, same = 700, wild = 5, wide = 4000;
	int fd = rresvport(&port), other, low, high;

	check_reserved(fd);
	CHECK_EQ(pair_port(fd), 700);
	CHECK_EQ(port, 700);
	other = rresvport_af(&same, AF_INET);
	check_reserved(other);
	CHECK_EQ(pair_port(other), 699);
	CHECK_EQ(same, 699);
	low = rresvport_af(&wild, AF_INET6);
	check_reserved(low);
	CHECK_EQ(wild, 512);
	high = rresvport(&wide);
	check_reserved(high);
	CHECK_EQ(wide, 1023);
	close(fd);
	close(other);
	close(low);
	close(high);
}

/* bindresvport(3) tries the ports from 600 first, and those below last. */
static void test_exhausted(void)
{
	const int first = 512, start = 600, end = 1024;
	int fds[512], port = start - 1, next = 0;

	while (next < end - start) {
		fds[next] = pair_socket(SOCK_STREAM);
		CHECK_EQ(bindresvport(fds[next], NULL), 0);
		CHECK(pair_port(fds[next++]) >= start);
	}
	fds[next] = pair_socket(SOCK_STREAM);
	CHECK_EQ(bindresvport(fds[next], NULL), 0);
	check_reserved(fds[next++]);
	while (next < end - first) {
		fds[next] = rresvport(&port);
		CHECK(fds[next++] >= 0);
	}
	CHECK_FAILS(rresvport(&port), EAGAIN);
	while (next > 0)
		close(fds[--next]);
}

/* EACCES ends the search for a port. */
static void test_refused(void)
{
	int port = 700, fd = pair_socket(SOCK_STREAM);

	child_drop_capabilities();
	CHECK_FAILS(rresvport(&port), EACCES);
	CHECK_EQ(port, 700);
	CHECK_FAILS(bindresvport(fd, NULL), EACCES);
	close(fd);
}

static void test_only(void)
{
	int only = atoi(getenv("ONLY")), port = only, fd = rresvport(&port);

	check_reserved(fd);
	CHECK_EQ(port, only);
	close(fd);
}
#endif

int main(void)
{
#ifdef __GLIBC__
	if (getenv("ONLY")) {
		RUN(test_only);
		return 0;
	}
	RUN(test_bindresvport);
	RUN(test_shareable);
	RUN(test_exhausted);
	RUN_BY(child_run, test_refused);
	RUN(test_other_family);
	test_needs_ipv6();
	RUN(test_rresvport);
#endif
	return 0;
}
