/* SPDX-License-Identifier: MIT */
/*
 * test_namespaces.c - programs that go into a third network namespace themselves
 *
 * With XBIND=* what they bind there stays there, also with * for one protocol. A port that is
 * listed moves out of wherever they are.
 */
#include "support/child.h"
#include "support/pair.h"

#include <fcntl.h>
#include <sched.h>

static int bind_any(int fd, uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static bool all(int type)
{
	const char *list = getenv("XBIND");

	return strcmp(list, "*") == 0 ||
	       (type == SOCK_DGRAM && strncmp(list, "udp/*", strlen("udp/*")) == 0);
}

/* Of two sockets of the third namespace one has been bound. */
static void check_place(int fd, int type, int other)
{
	if (pair_preloaded() && !all(type))
		CHECK(pair_is_there(fd));
	else
		CHECK(pair_is_beside(fd, other));
}

static void bind_in_third(void)
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
	CHECK_EQ(bind_any(stream, 3100), 0);
	check_place(stream, SOCK_STREAM, other);
	CHECK_EQ(bind_any(datagram, 3100), 0);
	check_place(datagram, SOCK_DGRAM, other);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK(pair_is_beside(listener, other));
	CHECK_EQ(bind_any(before, 3101), 0);
	CHECK_EQ(setns(home, CLONE_NEWNET), 0);
	CHECK(pair_is_there(before));
	after = pair_socket(SOCK_STREAM);
	CHECK_EQ(bind_any(after, 3102), 0);
	CHECK(pair_is_there(after));
	CHECK_EQ(bind_any(other, 3103), 0);
	check_place(other, SOCK_STREAM, listener);
}

static void test_third_namespace(void)
{
	child_run(bind_in_third);
}

static void test_errors(void)
{
	CHECK(setns(-1, CLONE_NEWNET) < 0 && errno == EBADF);
	CHECK(unshare(-1) < 0 && errno == EINVAL);
}

int main(void)
{
	RUN(test_third_namespace);
	RUN(test_errors);
	return 0;
}
