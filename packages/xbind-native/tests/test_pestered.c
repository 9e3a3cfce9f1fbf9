/* SPDX-License-Identifier: MIT */
/*
 * test_pestered.c - bind while signals come, one after the other or one that binds
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/pair.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>

#define ROUNDS    200
#define PESTER_US 50 /* microseconds between two signals */
#define STEP_US   15 /* microseconds by which one comes later than in the round before */

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

	CHECK(shutdown(fd, SHUT_RD) < 0); /* works all the same */
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
		return; /* not allowed here */
	for (int round = 0; round < ROUNDS; round++)
		close(bind_pestered());
}

/* Of two that bind one socket, one of them a handler in the middle of the other, one does. */
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

int main(void)
{
	const struct sigaction action = {.sa_handler = note};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	RUN(test_pestered);
	RUN_BY(child_run, test_behind_chroot);
	RUN(test_bind_in_handler);
	return 0;
}
