/* SPDX-License-Identifier: MIT */
/* replace.h - replace a socket and move its registrations, without hooks */
#ifndef SUPPORT_REPLACE_H
#define SUPPORT_REPLACE_H

#include "core/sys.h"
#include "support/events.h"
#include "xbind/copies.h"
#include "xbind/epollrecord.h"
#include "xbind/epollset.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Removes the registrations of fd for good. Return: how many there were, or an error. */
static inline int detach(int fd)
{
	struct epollset_move move;
	int rc = epollset_detach(fd, key_of(fd), sys_inode(fd), &move);

	return rc < 0 ? rc : (int)move.count;
}

/* Does what hook_bind.c does, without options: a fresh socket replaces fd, and is bound. */
static inline void replace(int fd, int type)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fresh = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct epollset_move move;
	const uint64_t inode = sys_inode(fd);
	const socket_key key = key_of(fd);
	bool has_copies;
	int watch;

	CHECK(fresh >= 0);
	CHECK_EQ(bind(fresh, (struct sockaddr *)&any, sizeof(any)), 0);
	CHECK_EQ(epollset_detach(fd, key, inode, &move), 0);
	watch = copies_watch(fd);
	CHECK_EQ(dup3(fresh, fd, O_CLOEXEC), fd);
	has_copies = copies_exist_consume(watch);
	epollset_attach(fd, fresh, &move);
	if (has_copies)
		copies_replace(key, inode, fd, fd);
	close(fresh);
}

/* The copy has followed: it is the socket that now has the number fd. */
static inline void check_follows(int copy, int fd)
{
	CHECK(key_of(copy) == key_of(fd));
}

/* Does what the hook of epoll_ctl(2) does. */
static inline int control(int set, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	int rc = epoll_ctl(set, operation, fd, &event);

	if (rc < 0 && operation == EPOLL_CTL_MOD && epollrecord_is_parked(set, fd)) {
		rc = epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
		epollrecord_unpark(set, fd);
	}
	if (rc == 0)
		epollrecord_note(set, operation, fd, &event);
	epollset_know(set);
	return rc;
}

static inline int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	CHECK(set >= 0);
	epollset_know(set);
	return set;
}

/* Connects to the listener fd. */
static inline int connect_to(int fd)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&name, sizeof(name)), 0);
	return client;
}

/* The listener fd causes exactly this event when a client connects. */
static inline void check_listener(int fd, int set, uint64_t data)
{
	int client;

	CHECK_EQ(listen(fd, 8), 0);
	check_quiet(set);
	client = connect_to(fd);
	check_event(set, EPOLLIN, data);
	close(client);
	close(accept(fd, NULL, NULL));
}

#endif
