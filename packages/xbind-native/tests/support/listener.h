/* SPDX-License-Identifier: MIT */
/* listener.h - a listener in the target namespace that is registered in an epoll set */
#ifndef SUPPORT_LISTENER_H
#define SUPPORT_LISTENER_H

#include "support/events.h"
#include "support/pair.h"

#define SERVER_PORT 3000
#define CLIENT_PORT 3001 /* listed too, so that the client is where the server is */
#define DATA        UINT64_C(0xfedcba9876543210)

static inline int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	CHECK(set >= 0);
	return set;
}

static inline int control(int set, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(set, operation, fd, &event);
}

static inline int client_of(uint16_t port)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(pair_bind(fd, CLIENT_PORT), 0);
	CHECK_EQ(pair_connect(fd, port), 0);
	return fd;
}

/* Closes with a reset instead of TIME_WAIT, so that the ports can be reused. */
static inline void close_now(int fd)
{
	struct linger now = {.l_onoff = 1};

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(fd);
}

/* Listens; the set has exactly one event when a client connects, and none before and after. */
static inline void check_listener(int fd, int set, uint64_t data)
{
	int client, conn;

	CHECK(pair_is_there(fd));
	CHECK_EQ(listen(fd, 8), 0);
	check_quiet(set);
	client = client_of(pair_port(fd));
	check_event(set, EPOLLIN, data);
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	CHECK(conn >= 0);
	close_now(client);
	close_now(conn);
	check_quiet(set);
}

/* Binds fd, which is registered in the set with DATA, and checks that it still is. */
static inline void bind_and_check(int fd, int set)
{
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, set, DATA);
}

#endif
