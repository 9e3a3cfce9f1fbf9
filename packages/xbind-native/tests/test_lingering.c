/* SPDX-License-Identifier: MIT */
/*
 * test_lingering.c - a server that never closes its connections holds a program up once, not always
 */
#include "support/child.h"
#include "support/pair.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#define ROUNDS      20
#define FORKED_PORT 3901
#define LONGEST_S   5 /* each of them given the longest time would make it 20 */

#ifndef __SANITIZE_THREAD__ /* for which the program's own race is one */
/* While the bind waits for the server the new socket is bound already. */
static void *close_when_bound(void *argument)
{
	int fd = *(int *)argument;
	struct timespec soon = {.tv_nsec = 200000000};

	nanosleep(&soon, NULL);
	close(fd);
	CHECK_EQ(pair_socket(SOCK_STREAM), fd);
	return NULL;
}

/* Another thread closes the socket, and the number is another one's at once: nobody binds that. */
static void test_closed_meanwhile(void)
{
	int fd = pair_socket(SOCK_STREAM);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, close_when_bound, &fd), 0);
	CHECK_EQ(pair_bind(fd, 3900), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pair_port(fd), 0);
	close(fd);
}
#endif

#ifndef __SANITIZE_THREAD__ /* which has its own view of forks */
static void *bind_meanwhile(void *argument)
{
	CHECK_EQ(pair_bind(*(int *)argument, FORKED_PORT), 0);
	return NULL;
}

/* A child that was forked meanwhile, and closes the socket, does not hold the port. */
static void fork_meanwhile(void)
{
	const struct timespec soon = {.tv_nsec = 200000000};
	int fd = pair_socket(SOCK_STREAM), ends[2];
	pthread_t thread;
	char byte;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(pthread_create(&thread, NULL, bind_meanwhile, &fd), 0);
	nanosleep(&soon, NULL);
	if (fork() == 0) {
		close(fd);
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind(fd, FORKED_PORT), 0);
}

static void test_forked_meanwhile(void)
{
	child_run(fork_meanwhile);
}
#endif

static void test_lingering(void)
{
	struct timespec begun, ended;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (uint16_t round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK_EQ(pair_bind(fd, (uint16_t)(3000 + round)), 0);
		CHECK(pair_is_there(fd));
		close(fd);
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	CHECK(ended.tv_sec - begun.tv_sec < LONGEST_S);
}

int main(void)
{
#ifndef __SANITIZE_THREAD__
	RUN(test_forked_meanwhile);
	RUN(test_closed_meanwhile); /* the first one waits long */
#endif
	RUN(test_lingering);
	return 0;
}
