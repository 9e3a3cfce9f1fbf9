/* SPDX-License-Identifier: MIT */
/*
 * test_pestered.c - bind while one signal comes after the other, without SA_RESTART
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/pair.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define ROUNDS    200
#define PESTER_US 50 /* microseconds between two signals */

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

static void bind_behind_chroot(void)
{
	if (chroot("/") < 0)
		_exit(0); /* not allowed here */
	for (int round = 0; round < ROUNDS; round++)
		close(bind_pestered());
	_exit(0);
}

static void test_behind_chroot(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		bind_behind_chroot();
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct sigaction action = {.sa_handler = note};

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	RUN(test_pestered);
	RUN(test_behind_chroot);
	return 0;
}
