/* SPDX-License-Identifier: MIT */
/* watched.h - a thread that is stopped in a certain system call of the library */
#ifndef SUPPORT_WATCHED_H
#define SUPPORT_WATCHED_H

#include "support/forbid.h"
#include "support/pair.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

/* A thread runs body under a filter that reports one system call with a certain second argument. */
static struct {
	int fd, set;
	uint16_t port;
	void (*body)(void);
	long call;
	unsigned argument;
	_Atomic int listener, is_over; /* of the filter's notifications */
	bool is_early;                 /* act() sets it to be called again at the next call */
	int error;                     /* act() sets it to the errno by which the call fails */
} watched = {.port = 3700};

static inline void make_watched(void)
{
	watched.set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_STREAM);
}

static inline void control_watched(int operation, uint32_t events)
{
	struct epoll_event event = {.events = events};

	CHECK_EQ(epoll_ctl(watched.set, operation, watched.fd, &event), 0);
}

/* Has the set something to report? */
static inline bool is_ready(int set)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0) == 1;
}

static inline void make_fired(void)
{
	make_watched();
	control_watched(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT);
	CHECK(is_ready(watched.set));
}

static inline void bind_watched(void)
{
	CHECK_EQ(pair_bind(watched.fd, watched.port), 0);
}

/* Another thread has bound or connected the socket; without the library it does so after bind. */
static inline void bind_watched_late(void)
{
	CHECK_EQ(pair_bind(watched.fd, watched.port), pair_preloaded() ? -1 : 0);
	CHECK(!pair_preloaded() || errno == EINVAL);
}

/* Gives the number fd to another file. */
static inline void put_consume(int another, int fd)
{
	CHECK_EQ(dup2(another, fd), fd);
	close(another);
}

/* Puts a file under the number that can be read. */
static inline void put_another(void)
{
	put_consume(eventfd(1, EFD_CLOEXEC), watched.fd);
}

static inline void *run_filtered(void *unused)
{
	(void)unused;
	watched.listener = forbid_with(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER,
	                               watched.call, watched.argument);
	watched.body();
	watched.is_over = 1;
	return NULL;
}

/* Calls act, if any, while the thread is stopped in the call, and continues it. If a signal,
 * such as SIGCHLD, has interrupted the call, the thread makes it again. */
static inline void act_watched(void (*act)(void))
{
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp answer = {0};

	CHECK_EQ(ioctl(watched.listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
	if (act)
		act();
	answer.id = call.id;
	answer.error = -watched.error;
	answer.flags = watched.error ? 0 : (unsigned)SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	CHECK(ioctl(watched.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 || errno == ENOENT);
}

/* Only the library makes the call, not body itself. act runs at the first call, and again as
 * long as it sets is_early. */
static inline void run_watched(void (*body)(void), long call, unsigned argument, void (*act)(void))
{
	pthread_t thread;
	bool told = false;

	watched.body = body;
	watched.call = call;
	watched.argument = argument;
	CHECK_EQ(pthread_create(&thread, NULL, run_filtered, NULL), 0);
	while (!watched.is_over) {
		struct pollfd entry = {.fd = watched.listener > 0 ? watched.listener : -1,
		                       .events = POLLIN};

		if (poll(&entry, 1, 1) == 1 && entry.revents & POLLIN) {
			watched.is_early = false;
			act_watched(told ? NULL : act);
			told = !watched.is_early;
		}
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(told, pair_preloaded());
}

/* The same, but without the library act runs after the body. */
static inline void run_watched_or_after(void (*body)(void), long call, unsigned argument,
                                        void (*act)(void))
{
	run_watched(body, call, argument, act);
	if (!pair_preloaded())
		act();
}

/* For a body that moves watched.fd: act runs once the server is asked (SHUT_WR), or once the new
 * socket has the options of the old one, before it is bound (SHUT_RD). */
static inline void run_watched_move(void (*body)(void), int how, void (*act)(void))
{
	CHECK_FAILS(shutdown(watched.fd, SHUT_RD), ENOTCONN); /* takes effect */
	run_watched(body, SYS_shutdown, (unsigned)how, act);
}

/* Another thread that acts while the first one is stopped. */
static struct {
	pthread_t thread;
	void (*act)(void);
	bool (*has_acted)(void);
} second;

static inline void *run_second(void *unused)
{
	second.act();
	return unused;
}

static inline void start_second(void)
{
	CHECK_EQ(pthread_create(&second.thread, NULL, run_second, NULL), 0);
	while (!second.has_acted())
		poll(NULL, 0, 1);
}

/* The call continues once has_acted() is true. The other thread may still wait for the body to
 * end. Without the library act runs after the body. */
static inline void run_watched_beside(void (*body)(void), long call, unsigned argument,
                                      void (*act)(void), bool (*has_acted)(void))
{
	second.act = act;
	second.has_acted = has_acted;
	run_watched(body, call, argument, start_second);
	if (pair_preloaded())
		CHECK_EQ(pthread_join(second.thread, NULL), 0);
	else
		act();
}

#endif
