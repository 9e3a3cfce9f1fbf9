/* SPDX-License-Identifier: MIT */
/* alarm.c - signals that come in the middle of a call */
#include "differ/differ.h"
#include "support/pair.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#define PESTER_US    100  /* microseconds between two signals */
#define DISTURB_US   700  /* microseconds until a signal, at most */
#define LONG_CALL_US 4000 /* microseconds before a call that blocks is interrupted */

static volatile sig_atomic_t is_disturbance;
static const char *volatile disturbance;

/* Calls on a socket of the handler's own succeed, wherever the signal comes. */
static const char *bind_another(int fd, int set)
{
	struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xef010203), .imr_ifindex = 1};
	struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 77};
	int size = 8192;
	socklen_t len = sizeof(size);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, len) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return "options";
	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		return "epoll_ctl";
	if (pair_bind(fd, 0) < 0)
		return "bind";
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) < 0 || size != 16384)
		return "the buffer";
	if (setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof(group)) < 0)
		return "the membership";
	if (epoll_wait(set, &event, 1, 0) != 1 || event.data.u64 != 77)
		return "epoll_wait";
	return NULL;
}

static void wake(int number)
{
	int error = errno, fd, set, cancelled;
	const char *failure;

	(void)number;
	if (!is_disturbance)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelled);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	set = epoll_create1(EPOLL_CLOEXEC);
	failure = bind_another(fd, set);
	if (failure)
		disturbance = failure;
	close(set);
	close(fd);
	pthread_setcancelstate(cancelled, NULL);
	errno = error;
}

void say_disturbance(void)
{
	if (disturbance)
		say(" disturbed: %s", disturbance);
	disturbance = NULL;
}

static void interrupt_in(long us, long again_us)
{
	struct itimerval timer = {.it_value.tv_usec = us, .it_interval.tv_usec = again_us};

	setitimer(ITIMER_REAL, &timer, NULL);
}

void before_pestered_call(void)
{
	interrupt_in(PESTER_US, PESTER_US);
	before_call();
}

/* One signal only: the handler takes longer than the call. */
void before_disturbed_call(void)
{
	is_disturbance = true;
	interrupt_in(1 + (long)below(DISTURB_US), 0);
	before_call();
}

void before_long_call(void)
{
	interrupt_in(LONG_CALL_US, LONG_CALL_US);
	before_call();
}

void after_long_call(void)
{
	int error = errno;

	interrupt_in(0, 0);
	is_disturbance = false;
	errno = error;
}

__attribute__((constructor)) static void catch_alarms(void)
{
	struct sigaction action = {.sa_handler = wake};

	sigaction(SIGALRM, &action, NULL);
}
