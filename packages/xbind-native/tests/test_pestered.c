/* SPDX-License-Identifier: MIT */
/*
 * test_pestered.c - bind interrupted by many signals, or by a handler that binds
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/pair.h"
#include "support/thread.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>

#define ROUNDS    200
#define PESTER_US 50 /* microseconds between two signals */
#define STEP_US   15 /* microseconds that the signal is later in each round */
#define HELD_S    5  /* seconds; longer than any wait for a thread that is not running */

static void note(int number)
{
	(void)number;
}

static void pester(long us)
{
	struct itimerval timer = {.it_value.tv_usec = us, .it_interval.tv_usec = us};

	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Return: the socket, shut for reading and bound while signals came. */
static int bind_pestered(void)
{
	int fd = pair_socket(SOCK_DGRAM), rc;

	CHECK(shutdown(fd, SHUT_RD) < 0); /* shuts it down nevertheless */
	pester(PESTER_US);
	rc = pair_bind(fd, 3040);
	pester(0);
	CHECK_EQ(rc, 0);
	CHECK(pair_is_there(fd));
	return fd;
}

static void test_pestered(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct pollfd entry = {.fd = bind_pestered(), .events = POLLRDHUP};

		CHECK_EQ(poll(&entry, 1, 0), 1);
		CHECK_EQ(entry.revents, POLLRDHUP);
		close(entry.fd);
	}
}

static void test_behind_chroot(void)
{
	if (chroot("/") < 0)
		return; /* not permitted here */
	for (int round = 0; round < ROUNDS; round++)
		close(bind_pestered());
}

/* A handler binds the socket in the middle of its bind: exactly one of the two succeeds. */
static int shared, handler_rc, handler_errno;

static void bind_shared(int number)
{
	int before = errno;

	(void)number;
	handler_rc = pair_bind(shared, 3041);
	handler_errno = errno;
	errno = before;
}

static void bind_twice(long us)
{
	const struct itimerval once = {.it_value.tv_usec = us};
	int rc;

	shared = pair_socket(SOCK_DGRAM);
	handler_rc = 1;
	CHECK_EQ(setitimer(ITIMER_REAL, &once, NULL), 0);
	rc = pair_bind(shared, 3042);
	if (rc < 0)
		CHECK_EQ(errno, EINVAL);
	while (handler_rc > 0)
		usleep(STEP_US);
	if (handler_rc < 0)
		CHECK_EQ(handler_errno, EINVAL);
	CHECK_EQ((rc == 0) + (handler_rc == 0), 1);
	CHECK_EQ(pair_port(shared), rc == 0 ? 3042 : 3041);
	CHECK(pair_is_there(shared));
	close(shared);
}

static void test_bind_in_handler(void)
{
	const struct sigaction action = {.sa_handler = bind_shared};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	for (long round = 1; round < ROUNDS; round++)
		bind_twice(round * STEP_US);
}

static sigjmp_buf before_call;

static void leave(int number)
{
	(void)number;
	siglongjmp(before_call, 1);
}

static void *bind_beside(void *unused)
{
	const time_t start = time(NULL);

	if (pair_bind(shared, 3044) < 0)
		CHECK_EQ(errno, EINVAL);
	CHECK(time(NULL) - start < HELD_S);
	return unused;
}

/* A handler that jumps away leaves the socket usable for other threads, and no lock or
 * descriptor. */
static void test_left(void)
{
	const struct sigaction action = {.sa_handler = leave};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	for (long round = 1; round < ROUNDS; round++) {
		const struct itimerval once = {.it_value.tv_usec = round * STEP_US};

		shared = pair_socket(SOCK_DGRAM);
		if (sigsetjmp(before_call, 1) == 0) {
			CHECK_EQ(setitimer(ITIMER_REAL, &once, NULL), 0);
			CHECK_EQ(pair_bind(shared, 3043), 0);
			for (;;)
				pause();
		}
		thread_run(bind_beside, NULL);
		CHECK(pair_is_there(shared));
		close(shared);
	}
}

static void add_until_left(int set, int fd, long us)
{
	const struct itimerval once = {.it_value.tv_usec = us};
	struct epoll_event event = {.events = EPOLLIN};

	if (sigsetjmp(before_call, 1) != 0)
		return;
	CHECK_EQ(setitimer(ITIMER_REAL, &once, NULL), 0);
	for (;;)
		CHECK_FAILS(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), EEXIST);
}

/* The same for one that jumps out of an epoll_ctl(2) for a fired EPOLLONESHOT of a moved socket. */
static void test_left_registration(void)
{
	const struct sigaction action = {.sa_handler = leave};
	struct epoll_event event = {.events = EPOLLONESHOT};
	int set = epoll_create1(0), fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(epoll_wait(set, &event, 1, 0), 1);
	CHECK(pair_binds_there(fd, 3050));
	for (long round = 1; round < ROUNDS; round++)
		add_until_left(set, fd, round);
	close(fd);
	close(set);
}

/* Two threads bind a socket each. */
static struct {
	int fds[2];
	pthread_t threads[2];
	pthread_barrier_t start;
} crossed;

static void bind_crossed(int number)
{
	const int before = errno, mine = pthread_equal(pthread_self(), crossed.threads[0]) ? 0 : 1;

	(void)number;
	if (pair_bind(crossed.fds[!mine], (uint16_t)(3045 + mine)) < 0)
		CHECK_EQ(errno, EINVAL);
	errno = before;
}

static void *bind_own(void *which)
{
	const int mine = (int)(uintptr_t)which;

	pthread_barrier_wait(&crossed.start);
	if (pair_bind(crossed.fds[mine], (uint16_t)(3047 + mine)) < 0)
		CHECK_EQ(errno, EINVAL);
	pthread_barrier_wait(&crossed.start); /* the signals have been sent */
	return NULL;
}

static void bind_each(long us)
{
	pthread_barrier_init(&crossed.start, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++) {
		crossed.fds[i] = pair_socket(SOCK_DGRAM);
		CHECK_EQ(pthread_create(&crossed.threads[i], NULL, bind_own, (void *)i), 0);
	}
	pthread_barrier_wait(&crossed.start);
	usleep((useconds_t)us);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_kill(crossed.threads[i], SIGALRM), 0);
	pthread_barrier_wait(&crossed.start);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(crossed.threads[i], NULL), 0);
	for (int i = 0; i < 2; i++) {
		CHECK(pair_is_there(crossed.fds[i]));
		close(crossed.fds[i]);
	}
	pthread_barrier_destroy(&crossed.start);
}

/* No deadlock between two threads whose handlers bind each other's socket. */
static void test_crossed(void)
{
	const struct sigaction action = {.sa_handler = bind_crossed};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	for (long round = 1; round < ROUNDS; round++) {
		const time_t start = time(NULL);

		bind_each(round * STEP_US / 2);
		CHECK(time(NULL) - start < HELD_S);
	}
}

static _Atomic int lifted;

/* Makes the faulting page writable again. */
static void lift(int number, siginfo_t *info, void *context)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)number;
	(void)context;
	lifted++;
	if (mprotect((char *)info->si_addr - (uintptr_t)info->si_addr % page, page,
	             PROT_READ | PROT_WRITE) < 0)
		abort();
}

/* Write-protects the library's data, as a garbage collector or a checkpoint may. */
static void protect_data(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, library_end = 0;
	char line[512], writable;

	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		CHECK_EQ(sscanf(line, "%lx-%lx %*c%c", &start, &end, &writable), 3);
		if (!strstr(line, "/libxbind.so") && start != library_end)
			continue;
		library_end = end; /* its .bss follows, in an anonymous mapping */
		if (writable == 'w')
			CHECK_EQ(mprotect((void *)start, end - start, PROT_READ), 0);
	}
	fclose(maps);
}

/* Such a program handles the faults on its pages and continues. */
static void test_faults(void)
{
	const struct sigaction action = {.sa_sigaction = lift, .sa_flags = SA_SIGINFO};
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
	protect_data();
	CHECK(pair_binds_there(fd, 3049));
	CHECK_EQ(lifted > 0, pair_preloaded());
	close(fd);
}

int main(void)
{
	const struct sigaction action = {.sa_handler = note};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	RUN_BY(child_run, test_faults);
	RUN(test_pestered);
	RUN_BY(child_run, test_behind_chroot);
	RUN(test_bind_in_handler);
	RUN(test_crossed);
	RUN(test_left);
	RUN(test_left_registration);
	return 0;
}
