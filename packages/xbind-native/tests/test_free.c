/* SPDX-License-Identifier: MIT */
/*
 * test_free.c - a port is free as soon as the program has closed its socket
 *
 * The server keeps a copy of each socket for a moment after the handover. Neither this process nor
 * another one that binds the same port may notice. Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/pair.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#define ROUNDS 200
#define PORT   3000
#define LATE   20  /* binds, of about 2000, that may find the port in use */
#define ALARM  450 /* seconds; without it, a failed player would be waited for for ever */

/* The library waits at most a second for the server, which may not run for that long on a busy
 * machine: a port is then free a little later. Counts such binds, also those of children. */
static _Atomic int *late;

static int open_bound(int domain, int type)
{
	int fd = socket(domain, type, 0), rc;

	CHECK(fd >= 0);
	rc = pair_bind_any(fd, domain, PORT);
	if (rc < 0 && errno == EADDRINUSE && ++*late <= LATE) {
		while ((rc = pair_bind_any(fd, domain, PORT)) < 0 && errno == EADDRINUSE)
			poll(NULL, 0, 1);
	}
	CHECK_EQ(rc, 0);
	CHECK(pair_is_there(fd));
	if (type == SOCK_STREAM)
		CHECK_EQ(listen(fd, 1), 0);
	return fd;
}

/* Two players pass a ball through a pair of sockets. */
struct player {
	int end, domain, type;
};

static void catch_ball(const struct player *player)
{
	char byte;

	CHECK_EQ(read(player->end, &byte, 1), 1);
}

static void throw_ball(const struct player *player)
{
	CHECK_EQ(write(player->end, "", 1), 1);
}

static void *play(void *argument)
{
	const struct player *player = argument;

	for (int round = 0; round < ROUNDS; round++) {
		catch_ball(player);
		close(open_bound(player->domain, player->type));
		throw_ball(player);
	}
	return NULL;
}

/* Two processes or threads take turns to bind the port, each right after the other has closed
 * it. */
static void alternate(int domain, int type, int threads)
{
	int ends[2];
	struct player here = {.domain = domain, .type = type}, there = here;
	pthread_t thread;
	pid_t child = 0;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	here.end = ends[0];
	there.end = ends[1];
	if (threads)
		CHECK_EQ(pthread_create(&thread, NULL, play, &there), 0);
	else
		child = child_start();
	if (!threads && child == 0) {
		play(&there);
		_exit(0);
	}
	throw_ball(&there); /* which this side catches first */
	play(&here);
	if (threads)
		CHECK_EQ(pthread_join(thread, NULL), 0);
	else
		child_await(child);
	close(ends[0]);
	close(ends[1]);
}

static void test_processes(void)
{
	alternate(AF_INET, SOCK_STREAM, 0);
	alternate(AF_INET6, SOCK_STREAM, 0);
	alternate(AF_INET, SOCK_DGRAM, 0);
	alternate(AF_INET6, SOCK_DGRAM, 0);
}

static void test_threads(void)
{
	alternate(AF_INET, SOCK_STREAM, 1);
	alternate(AF_INET6, SOCK_DGRAM, 1);
}

/* The process exits without closing its socket. */
static void test_exit(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		pid_t child = child_start();

		if (child == 0) {
			open_bound(AF_INET, round % 2 ? SOCK_DGRAM : SOCK_STREAM);
			_exit(0);
		}
		child_await(child);
		close(open_bound(AF_INET, round % 2 ? SOCK_DGRAM : SOCK_STREAM));
	}
}

/* The new socket of a failed bind is gone, too, with any port that it had for a moment. */
static void test_failed(void)
{
	int holder = open_bound(AF_INET, SOCK_DGRAM);

	for (int round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_FAILS(pair_bind(fd, PORT), EADDRINUSE);
		close(fd);
	}
	close(holder);
	close(open_bound(AF_INET, SOCK_DGRAM));
}

static void ignore(int number)
{
	(void)number;
}

/* Signals do not end the wait for the server. */
static void test_signals(void)
{
	const struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
	const struct itimerval never = {.it_value.tv_usec = 0};
	struct sigaction action = {.sa_handler = ignore}; /* without SA_RESTART */

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int round = 0; round < ROUNDS; round++)
		close(open_bound(AF_INET, SOCK_DGRAM));
	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
	signal(SIGALRM, SIG_DFL);
}

int main(void)
{
	late = mmap(NULL, sizeof(*late), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(late != MAP_FAILED);
	RUN(test_signals); /* first: alarm(2) uses the same timer */
	alarm(ALARM);
	RUN(test_exit);
	RUN(test_failed);
	test_needs_ipv6();
	RUN(test_processes);
	RUN(test_threads);
	return 0;
}
