/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - many threads bind and set options at once
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/pair.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS     16
#define ROUNDS      20
#define FIRST_PORT  3100
#define SHARED_PORT 3200

static pthread_barrier_t barrier;
static int shared;
static _Atomic int succeeded, refused;

static void run_all(void *(*body)(void *))
{
	pthread_t threads[THREADS];
	int numbers[THREADS];

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CHECK_EQ(pthread_create(&threads[i], NULL, body, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&barrier);
}

/* Each thread has a socket and a port of its own, and options that only it has set. */
static void *bind_own(void *argument)
{
	int number = *(int *)argument;

	pthread_barrier_wait(&barrier);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM), mark = 30 + number, is = 0;
		socklen_t len = sizeof(is);

		CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_TTL, &mark, sizeof(mark)), 0);
		CHECK_EQ(pair_bind(fd, (uint16_t)(FIRST_PORT + number)), 0);
		CHECK(pair_is_there(fd));
		CHECK_EQ(getsockopt(fd, IPPROTO_IP, IP_TTL, &is, &len), 0);
		CHECK_EQ(is, mark);
		close(fd);
	}
	return NULL;
}

static void test_own_sockets(void)
{
	run_all(bind_own);
}

static void *bind_shared(void *argument)
{
	uint16_t port = (uint16_t)(SHARED_PORT + *(int *)argument);

	pthread_barrier_wait(&barrier);
	if (pair_bind(shared, port) == 0)
		atomic_fetch_add(&succeeded, 1);
	else if (errno == EINVAL)
		atomic_fetch_add(&refused, 1);
	return NULL;
}

/* One socket is bound once, to the port of one of them. */
static void test_shared_socket(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		int one = 1;

		shared = pair_socket(SOCK_STREAM);
		CHECK_EQ(setsockopt(shared, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
		succeeded = refused = 0;
		run_all(bind_shared);
		CHECK_EQ(succeeded, 1);
		CHECK_EQ(refused, THREADS - 1);
		CHECK(pair_is_there(shared));
		CHECK(pair_port(shared) >= SHARED_PORT);
		close(shared);
	}
}

/* Records of many sockets at once, each found again by its own. */
static void *join_groups(void *argument)
{
	struct ip_mreqn group = {.imr_ifindex = 1};

	group.imr_multiaddr.s_addr = htonl(0xefa00001U + (unsigned)*(int *)argument);
	pthread_barrier_wait(&barrier);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
		CHECK_EQ(pair_bind(fd, (uint16_t)(FIRST_PORT + *(int *)argument)), 0);
		CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0);
		CHECK_EQ(errno, EADDRINUSE);
		close(fd);
	}
	return NULL;
}

static void test_groups(void)
{
	run_all(join_groups);
}

int main(void)
{
	RUN(test_own_sockets);
	RUN(test_shared_socket);
	RUN(test_groups);
	return 0;
}
