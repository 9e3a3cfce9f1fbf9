/* SPDX-License-Identifier: MIT */
/* test_claim.c - who changes a socket waits for the swap of that one, and of no other */
#include "test.h"
#include "xbind/claim.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define LONG_MS 100 /* milliseconds: longer than a thread needs for nothing */

static int fd;
static _Atomic int waited;

static void *wait_for_it(void *unused)
{
	claim_wait(fd, claim_mark());
	waited = 1;
	return unused;
}

/* While this one swaps the socket of that key, does another thread wait that has changed fd? */
static int waits(socket_key key)
{
	const struct claim claim = claim_take(key);
	pthread_t thread;
	int waiting;

	waited = 0;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
	for (int tries = 0; tries < LONG_MS && !waited; tries++)
		poll(NULL, 0, 1);
	waiting = !waited;
	claim_end(&claim);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return waiting;
}

static void test_wait(void)
{
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(waits(key_of(fd)));
	CHECK(!waits(key_of(fd) + 1));
	CHECK(!waits(key_of(fd) + CLAIM_SLOTS));
	close(fd);
}

int main(void)
{
	RUN(test_wait);
	return 0;
}
