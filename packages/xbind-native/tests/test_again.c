/* SPDX-License-Identifier: MIT */
/*
 * test_again.c - bind of a socket that once had a port and has lost it
 *
 * Ports 3000 to 3999 are listed, and 0; or all, and 3003 is published as 4003.
 */
#include "support/pair.h"

#include <netinet/tcp.h>

/* shutdown(2) takes the port from a listener that never called bind, though it still has a name. */
static void a_listener_that_was_shut_moves(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(listen(fd, 1), 0);
	CHECK_EQ(shutdown(fd, SHUT_RD), 0);
	CHECK(pair_binds_there(fd, 3000));
	CHECK_EQ(listen(fd, 1), 0);
	close(fd);
}

static int refused(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_FAILS(pair_connect(fd, 9), ECONNREFUSED);
	return fd;
}

static void a_refused_socket_moves(void)
{
	int fd = refused();

	CHECK(pair_binds_there(fd, 3001));
	CHECK_EQ(listen(fd, 1), 0);
	close(fd);
}

/* The failed connection found the segment size; it is not carried over like one that was set. */
static void a_refused_socket_has_any_segment_size(void)
{
	int fd = refused();

	CHECK_EQ(pair_bind(fd, 3002), 0);
	CHECK_EQ(pair_connect(fd, 3002), 0); /* with itself */
	CHECK(pair_option(fd, IPPROTO_TCP, TCP_MAXSEG) > 1000);
	close(fd);
}

/* The socket is in the target namespace already: a new one would only lose what it has received. */
static void a_moved_socket_keeps_what_it_has_received(void)
{
	int fd = pair_socket(SOCK_DGRAM);
	char byte = 0;

	CHECK(pair_binds_there(fd, 0));
	CHECK_EQ(pair_connect(fd, pair_port(fd)), 0);
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	CHECK_EQ(recv(fd, &byte, 1, MSG_PEEK), 1); /* waits until it has come */
	byte = 0;
	CHECK_EQ(pair_disconnect(fd), 0);
	CHECK_EQ(pair_port(fd), 0);
	CHECK(pair_binds_there(fd, 3003));
	CHECK_EQ(pair_port(fd), pair_preloaded() && strchr(getenv("XBIND"), '*') ? 4003 : 3003);
	CHECK_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), 1);
	CHECK_EQ(byte, 'x');
	close(fd);
}

static void a_moved_socket_tells_of_a_taken_port(void)
{
	int fd = pair_socket(SOCK_DGRAM), other = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_bind(fd, 0), 0);
	CHECK_EQ(pair_connect(fd, 9), 0);
	CHECK_EQ(pair_disconnect(fd), 0);
	CHECK_EQ(pair_bind(other, 3004), 0);
	CHECK_FAILS(pair_bind(fd, 3004), EADDRINUSE);
	CHECK(pair_binds_there(fd, 3005));
	close(fd);
	close(other);
}

int main(void)
{
	RUN(a_listener_that_was_shut_moves);
	RUN(a_refused_socket_moves);
	RUN(a_refused_socket_has_any_segment_size);
	RUN(a_moved_socket_keeps_what_it_has_received);
	RUN(a_moved_socket_tells_of_a_taken_port);
	return 0;
}
