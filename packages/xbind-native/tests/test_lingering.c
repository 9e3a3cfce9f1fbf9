/* SPDX-License-Identifier: MIT */
/* test_lingering.c - a server that never closes its connections delays a program once, not
 * always */
#include "support/child.h"
#include "support/clock.h"
#include "support/pair.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#define ROUNDS       20
#define FORKED_PORT  3901
#define LATE_PORT    3920
#define IMPATIENT_MS 990 /* less than the time that a server is given by default */
#define TRIES        10
#define SOON_MS      200   /* milliseconds by which a bind waits for the server */
#define LATE_MS      700   /* milliseconds until a second bind begins */
#define TOLD_MS      5000  /* milliseconds until the error of a datagram */
#define LONGEST_MS   10000 /* milliseconds; with the full delay each time it would take 20 s */

#ifndef __SANITIZE_THREAD__ /* which reports the program's own race, and restricts its forks */
/* Runs while the bind waits for the server. */
static void *close_meanwhile(void *argument)
{
	int fd = *(int *)argument;

	poll(NULL, 0, SOON_MS);
	close(fd);
	CHECK_EQ(pair_socket(SOCK_STREAM), fd);
	return NULL;
}

/* Another thread closes the socket, and a new one gets the number at once: that one is not
 * bound. */
static void test_closed_meanwhile(void)
{
	int fd = pair_socket(SOCK_STREAM);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, close_meanwhile, &fd), 0);
	CHECK_EQ(pair_bind(fd, 3900), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pair_port(fd), 0);
	close(fd);
}

static void *bind_meanwhile(void *argument)
{
	CHECK_EQ(pair_bind(*(int *)argument, FORKED_PORT), 0);
	return NULL;
}

/* A child that was forked during the bind and closes the socket does not keep the port in use. */
static void test_forked_meanwhile(void)
{
	int fd = pair_socket(SOCK_STREAM), ends[2];
	pthread_t thread;
	char byte;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(pthread_create(&thread, NULL, bind_meanwhile, &fd), 0);
	poll(NULL, 0, SOON_MS);
	if (child_start() == 0) {
		close(fd);
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind(fd, FORKED_PORT), 0);
}

static void *bind_late(void *argument)
{
	poll(NULL, 0, LATE_MS);
	CHECK_EQ(pair_bind(*(int *)argument, LATE_PORT), 0);
	return NULL;
}

/* A datagram that comes during the bind finds no port. A socket that was bound too early could
 * take datagrams meant for another socket of the port, before the program connects it. */
static void test_sent_meanwhile(void)
{
	int fd = pair_socket(SOCK_DGRAM), sender = pair_socket(SOCK_DGRAM);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, bind_late, &fd), 0);
	CHECK_EQ(pair_bind(sender, LATE_PORT + 1), 0); /* waits just as long, but began earlier */
	CHECK_EQ(pair_connect(sender, LATE_PORT), 0);
	CHECK_EQ(send(sender, "", 1, 0), 1);
	CHECK_EQ(poll(&(struct pollfd){sender, 0, 0}, 1, TOLD_MS), 1);
	CHECK_EQ(pair_option(sender, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pair_port(fd), LATE_PORT);
}
#endif

static void test_lingering(void)
{
	const long long begun = clock_ms();

	for (uint16_t round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK(pair_binds_there(fd, (uint16_t)(3000 + round)));
		close(fd);
	}
	CHECK(clock_ms() - begun < LONGEST_MS);
}

/* Only the first bind of a process waits long. */
static bool is_impatient(uint16_t port)
{
	const pid_t child = child_start();
	int status;

	if (child == 0) {
		const int fd = pair_socket(SOCK_STREAM);
		const long long begun = clock_ms();
		long long taken;

		CHECK_EQ(pair_bind(fd, port), 0);
		taken = clock_ms() - begun;
		CHECK(pair_is_there(fd));
		_exit(taken >= IMPATIENT_MS);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return status == 0;
}

/* The delay is not longer than XSOCKET_TIMEOUT_MS either: other load can only make it longer. */
static void test_impatient(void)
{
	int tries = 1;

	while (!is_impatient((uint16_t)(3000 + tries)) && tries < TRIES)
		tries++;
	CHECK(tries < TRIES);
}

int main(void)
{
	if (getenv("XSOCKET_TIMEOUT_MS")) {
		RUN(test_impatient);
		return 0;
	}
#ifndef __SANITIZE_THREAD__
	RUN_BY(child_run, test_forked_meanwhile);
	RUN_BY(child_run, test_sent_meanwhile);
	RUN(test_closed_meanwhile); /* only the first bind waits long */
#endif
	RUN(test_lingering);
	return 0;
}
