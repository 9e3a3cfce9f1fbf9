/* SPDX-License-Identifier: MIT */
/*
 * options_args.c - setsockopt with every sort of argument
 *
 * pair -c compares a run without the library with one with it. The sockets are bound afterwards, so
 * that recorded options are used, too.
 */
#include "support/pair.h"

#include <sys/mman.h>

#define NAMES 90
#define PAGE  4096
#define HUGE  ((socklen_t)64 << 20) /* bytes */

static const int levels[] = {SOL_SOCKET,  IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP,
                             IPPROTO_UDP, -1,         1000};

static int make(int domain, int name)
{
	int fd = socket(domain, name & 1 ? SOCK_STREAM : SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	return fd;
}

static void bind_and_close(int fd, int domain)
{
	int rc;

	errno = 77;
	rc = pair_bind_any(fd, domain, 0);
	printf("  bind: %d, errno %d\n", rc, errno);
	close(fd);
}

/* Sockets for the options of each family. A refused option must leave nothing behind. */
static int in, in6;

static void try_with(int *fd, int domain, int level, int name, const char *what, const void *value,
                     socklen_t len)
{
	int rc;

	errno = 77;
	rc = setsockopt(*fd, level, name, value, len);
	printf("%d %d %s %u: %d, errno %d\n", level, name, what, len, rc, errno);
	if (rc < 0)
		return;
	bind_and_close(*fd, domain);
	*fd = make(domain, name);
}

static void try(int level, int name, const char *what, const void *value, socklen_t len)
{
	try_with(&in, AF_INET, level, name, what, value, len);
	if (!value) /* NULL, which counts as 0 for options of IPv6 */
		try_with(&in6, AF_INET6, level, name, what, value, len);
}

static const unsigned char many_zeros[40000]; /* more than the library can record */

int main(void)
{
	unsigned char *pages =
	    mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int one = 1;

	test_needs_ipv6();
	CHECK(pages != MAP_FAILED);
	CHECK_EQ(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	for (size_t level = 0; level < COUNT(levels); level++) {
		for (int name = -1; name < NAMES; name++) {
			in = make(AF_INET, name);
			in6 = make(AF_INET6, name);
			try(levels[level], name, "NULL", NULL, sizeof(one));
			try(levels[level], name, "NULL", NULL, 0);
			try(levels[level], name, "negative", &one, (socklen_t)-1);
			try(levels[level], name, "short", &one, 1);
			try(levels[level], name, "unreadable", pages + PAGE, sizeof(one));
			try(levels[level], name, "half readable", pages + PAGE - 4, 6);
			try(levels[level], name, "half readable", pages + PAGE - 8, 10);
			try(levels[level], name, "half readable", pages + PAGE - 4, 64);
			try(levels[level], name, "half readable", pages + PAGE - 12, HUGE);
			try(levels[level], name, "half readable", pages + PAGE - 136, HUGE);
			try(levels[level], name, "zeros", many_zeros, 300);
			try(levels[level], name, "zeros", many_zeros, sizeof(many_zeros));
			bind_and_close(in, AF_INET);
			bind_and_close(in6, AF_INET6);
		}
	}
	return 0;
}
