/* SPDX-License-Identifier: MIT */
/* test_claim.c - who changes a socket waits for the swap of that one, and of no other */
#include "test.h"
#include "xbind/claim.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#define WAITING_MS 100   /* milliseconds: somebody waits who has waited that long */
#define LATE_MS    10000 /* milliseconds: and nobody does who comes back within these */

static int fd;
static _Atomic int waited;

static void *wait_for_it(void *unused)
{
	claim_wait(fd, claim_mark());
	waited = 1;
	return unused;
}

/*
 * While this one swaps the socket of that key, does another thread wait that has changed fd? In a
 * signal handler it may have begun to swap a second one.
 */
static int waits(socket_key key, socket_key second, int longest_ms)
{
	const struct claim claim = claim_take(key);
	struct claim inner = {NULL};
	pthread_t thread;
	int waiting;

	if (second != KEY_NONE)
		inner = claim_take(second);
	waited = 0;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
	for (int tries = 0; tries < longest_ms && !waited; tries++)
		poll(NULL, 0, 1);
	waiting = !waited;
	if (second != KEY_NONE)
		claim_end(&inner);
	claim_end(&claim);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return waiting;
}

static void test_wait(void)
{
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(waits(key_of(fd), KEY_NONE, WAITING_MS));
	CHECK(waits(key_of(fd), key_of(fd) + CLAIM_SLOTS, WAITING_MS));
	CHECK(!waits(key_of(fd) + 1, KEY_NONE, LATE_MS));
	CHECK(!waits(key_of(fd) + CLAIM_SLOTS, KEY_NONE, LATE_MS));
	close(fd);
}

/* Nor does it go on while the number is being exchanged, whatever socket has it by now. */
static void test_number(void)
{
	struct claim claim;
	pthread_t thread;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	claim = claim_number(fd);
	waited = 0;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
	for (int tries = 0; tries < WAITING_MS && !waited; tries++)
		poll(NULL, 0, 1);
	CHECK(!waited);
	claim_give(&claim);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
}

/* Who changes an option asks whether one has run meanwhile, and waits for none if not. */
static void test_has_run(void)
{
	const struct claim_mark before = claim_mark();
	struct claim claim;

	CHECK(!claim_has_run(before));
	claim = claim_take(1);
	CHECK(claim_has_run(claim_mark()));
	claim_end(&claim);
	CHECK(claim_has_run(before));
	CHECK(!claim_has_run(claim_mark()));
}

int main(void)
{
	RUN(test_wait);
	RUN(test_number);
	RUN(test_has_run);
	return 0;
}
