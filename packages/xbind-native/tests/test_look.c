/* SPDX-License-Identifier: MIT */
/* test_look.c - polling for events for a while before sleeping */
#include "test.h"

#include "core/sys.h"
#include "xsocket/private.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define DATA 7

static int epoll_fd, event_fd;
static int yields, ready_at; /* number of the yield at which the event comes */
static int looks, sleeps, slept_ms;

long sys_call(long number, const long args[6])
{
	if (number == SYS_epoll_pwait && args[3] == 0) {
		looks++;
	} else if (number == SYS_epoll_pwait) {
		sleeps++;
		slept_ms = (int)args[3];
	} else if (number == SYS_sched_yield && ++yields == ready_at) {
		CHECK_EQ(eventfd_write(event_fd, 1), 0);
	}
	return test_enter(number, args);
}

/* Return: the number of events within wait_ms, if one comes at the given yield. */
static int wait_for(int yield, int wait_ms, int look_us)
{
	unsigned pair[2] = {0};
	int n;

	ready_at = yield;
	yields = looks = sleeps = 0;
	epoll_fd = xs1_epoll_create();
	event_fd = xs1_eventfd();
	CHECK_EQ(xs1_epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, EPOLLIN, DATA), 0);
	n = xs1_epoll_wait(epoll_fd, pair, 1, wait_ms, look_us);
	if (n > 0)
		CHECK(pair[0] == EPOLLIN && pair[1] == DATA);
	close(event_fd);
	close(epoll_fd);
	return n;
}

static void test_event_while_looking(void)
{
	CHECK_EQ(wait_for(3, 1000, 60 * 1000 * 1000), 1);
	CHECK_EQ(looks, 4);
	CHECK_EQ(sleeps, 0);
}

static void test_looking_ends(void)
{
	double start = xs1_monotonic();

	CHECK_EQ(wait_for(0, 10, 5000), 0);
	CHECK(xs1_monotonic() - start >= 15);
	CHECK_EQ(sleeps, 1);
	CHECK_EQ(slept_ms, 10);
}

static void test_no_looking(void)
{
	CHECK_EQ(wait_for(0, 10, 0), 0);
	CHECK_EQ(looks + yields, 0);
	CHECK_EQ(sleeps, 1);
}

int main(void)
{
	RUN(test_event_while_looking);
	RUN(test_looking_ends);
	RUN(test_no_looking);
	return 0;
}
