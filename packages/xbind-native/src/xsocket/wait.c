/* SPDX-License-Identifier: MIT */
/*
 * wait.c - the private symbol set: waiting for descriptors, waking those who wait, and the clock
 */
#include "xsocket/private.h"

#include "core/sys.h"
#include "core/visibility.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

#define EVENTS_MAX 64 /* descriptors in one xs1_epoll_wait() or xs1_poll_many() */

EXPORT double xs1_monotonic(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

EXPORT int xs1_poll(int fd, int events, int wait_ms)
{
	return sys_poll(fd, (short)events, wait_ms);
}

EXPORT int xs1_poll_many(int *pairs, int count)
{
	struct pollfd polled[EVENTS_MAX];
	int n;

	if (count < 0 || count > EVENTS_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		polled[i] = (struct pollfd){pairs[2 * i], (short)pairs[2 * i + 1], 0};
	n = sys_poll_many(polled, (unsigned)count, 0);
	for (int i = 0; i < count; i++)
		pairs[2 * i + 1] = n < 0 ? 0 : (unsigned short)polled[i].revents;
	return n;
}

EXPORT int xs1_epoll_create(void)
{
	return sys_epoll_create1(EPOLL_CLOEXEC);
}

EXPORT int xs1_epoll_ctl(int epoll_fd, int operation, int fd, unsigned events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return sys_epoll_ctl(epoll_fd, operation, fd, &event);
}

/* Polls for up to look_us. Return: what epoll_wait(2) returned once that was not 0, else 0. */
static int look(int epoll_fd, struct epoll_event *events, int max, int look_us)
{
	double end = xs1_monotonic() + look_us / 1e3;

	for (;;) {
		int n = sys_epoll_wait(epoll_fd, events, max, 0);

		if (n != 0 || xs1_monotonic() >= end)
			return n;
		SYS_CALL(SYS_sched_yield);
	}
}

EXPORT int xs1_epoll_wait(int epoll_fd, unsigned *pairs, int max, int wait_ms, int look_us)
{
	/* struct epoll_event is packed on x86 alone: pairs of events and data are the same
	 * everywhere */
	struct epoll_event events[EVENTS_MAX];
	int n;

	if (max > EVENTS_MAX)
		max = EVENTS_MAX;
	n = look_us > 0 ? look(epoll_fd, events, max, look_us) : 0;
	if (n == 0)
		n = sys_epoll_wait(epoll_fd, events, max, wait_ms);
	for (int i = 0; i < n; i++) {
		pairs[2 * i] = events[i].events;
		pairs[2 * i + 1] = (unsigned)events[i].data.u64;
	}
	return n;
}

EXPORT int xs1_eventfd(void)
{
	return (int)SYS_CALL(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
}

EXPORT int xs1_eventfd_add(int fd)
{
	uint64_t one = 1;
	long rc = sys_write(fd, &one, sizeof(one));

	return rc < 0 ? (int)rc : 0;
}

EXPORT int xs1_eventfd_take(int fd)
{
	uint64_t count;
	long rc = sys_read(fd, &count, sizeof(count));

	return rc < 0 ? (int)rc : 0;
}
