/* SPDX-License-Identifier: MIT */
/*
 * test_reserved_own.c - bindresvport(3) of a library other than libc
 *
 * All ports are listed.
 */
#include "support/pair.h"

int bindresvport(int fd, struct sockaddr_in *addr);

static void check_by(struct sockaddr_in6 *addr)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	errno = 0;
	CHECK_EQ(bindresvport(fd, (struct sockaddr_in *)addr), 0);
	CHECK_EQ(errno, 0);
	CHECK_EQ(pair_port(fd), 700);
	CHECK(pair_is_there(fd));
	close(fd);
}

static void test_ipv6(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6};

	check_by(&addr);
	check_by(NULL);
}

/* A failure is one even if the library leaves errno at 0. */
static void test_no_errno(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6};

	errno = 0;
	CHECK_EQ(bindresvport(-1, (struct sockaddr_in *)&addr), -1);
}

int main(void)
{
	RUN(test_no_errno);
	test_needs_ipv6();
	RUN(test_ipv6);
	return 0;
}
