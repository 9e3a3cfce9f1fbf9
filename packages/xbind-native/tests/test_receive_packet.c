/* SPDX-License-Identifier: MIT */
/* test_receive_packet.c - the end of a connection, and what may look like it */
#include "test.h"

#include "core/sys.h"
#include "xsocket/private.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const char request[] = "request";

static int server, client;
static bool is_between; /* does the request come while recvfrom(2) is under way? */

static void ask_and_end(void)
{
	CHECK_EQ(send(client, request, sizeof(request), 0), sizeof(request));
	CHECK_EQ(shutdown(client, SHUT_WR), 0);
}

/* As the kernel does when both come after it has looked for a packet, and before it looks for the
 * end: it reports the end. */
long sys_call(long number, const long args[6])
{
	if (number == SYS_recvfrom && is_between) {
		is_between = false;
		ask_and_end();
		return 0;
	}
	return test_enter(number, args);
}

static void connect_pair(void)
{
	int fds[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	server = fds[0];
	client = fds[1];
}

static int receive(void)
{
	char bytes[sizeof(request)];

	return xs1_receive_packet(server, bytes, sizeof(bytes));
}

static void close_pair(void)
{
	close(server);
	close(client);
}

static void test_asked_in_between(void)
{
	connect_pair();
	is_between = true;
	CHECK_EQ(receive(), sizeof(request));
	CHECK_EQ(receive(), 0);
	close_pair();
}

static void test_end(void)
{
	connect_pair();
	CHECK_EQ(receive(), -EAGAIN);
	ask_and_end();
	CHECK_EQ(receive(), sizeof(request));
	CHECK_EQ(receive(), 0);
	CHECK_EQ(receive(), 0);
	close_pair();
}

/* It is malformed, whatever comes behind it. */
static void test_empty_packet(void)
{
	connect_pair();
	CHECK_EQ(send(client, "", 0, 0), 0);
	CHECK_EQ(receive(), 0);
	CHECK_EQ(receive(), -EAGAIN);
	CHECK_EQ(send(client, "", 0, 0), 0);
	CHECK_EQ(send(client, request, sizeof(request), 0), sizeof(request));
	CHECK_EQ(receive(), 0);
	CHECK_EQ(receive(), sizeof(request));
	close_pair();
}

int main(void)
{
	RUN(test_asked_in_between);
	RUN(test_end);
	RUN(test_empty_packet);
	return 0;
}
