/* SPDX-License-Identifier: MIT */
/*
 * test_claim.c - a thread that changes a socket waits for the swap of this socket, and no other
 *
 * And a descriptor that a swap has in use is closed in a child that another thread forks.
 */
#include "support/child.h"
#include "support/thread.h"
#include "xbind/claim.h"
#include "xbind/flight.h"
#include "xbind/moved.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#define WAITING_MS 100   /* milliseconds after which a thread counts as waiting */
#define LATE_MS    10000 /* milliseconds within which one that need not wait returns */

static int fd;
static _Atomic int waited;

static void *wait_for_it(void *unused)
{
	claim_wait(fd, claim_mark());
	waited = 1;
	return unused;
}

/* Does another thread that has changed fd wait while this one swaps the socket of that key? second:
 * the key of a nested swap, as begun in a signal handler, or KEY_NONE. */
static int waits(socket_key key, socket_key second, int longest_ms)
{
	const struct lock_turn claim = claim_take(key);
	struct lock_turn inner = {0};
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

/* It waits as well while the number is being exchanged, whichever socket has it by then. */
static void test_number(void)
{
	struct lock_turn turn;
	pthread_t thread;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	turn = claim_number(fd);
	waited = 0;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
	for (int tries = 0; tries < WAITING_MS && !waited; tries++)
		poll(NULL, 0, 1);
	CHECK(!waited);
	lock_leave(&turn);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
}

/*
 * A thread that changes an option asks whether a swap has run meanwhile, and does not wait if not.
 */
static void test_has_run(void)
{
	const struct claim_mark before = claim_mark();
	struct lock_turn claim;

	CHECK(!claim_has_run(before));
	claim = claim_take(1);
	CHECK(claim_has_run(claim_mark()));
	claim_end(&claim);
	CHECK(claim_has_run(before));
	CHECK(!claim_has_run(claim_mark()));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!claim_wait(fd, before)); /* the swap was of another socket */
	moved_note(key_of(fd), fd);
	CHECK(claim_wait(fd, before));
	close(fd);
}

static void check_open(void)
{
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

static void check_closed(void)
{
	CHECK(fcntl(fd, F_GETFD) < 0);
}

static void *fork_beside(void *unused)
{
	child_run(check_closed);
	return unused;
}

/* The number belongs to a file of the program by then. */
static void *fork_beside_another(void *unused)
{
	child_run(check_open);
	return unused;
}

/* The forking thread may have a swap of its own in progress. */
static void *fork_in_flight(void *unused)
{
	int other = flight_add(socket(AF_INET, SOCK_STREAM, 0));

	child_run(check_closed);
	flight_close(&other);
	return unused;
}

/* It stays open in a child that the binding thread itself forks in the middle of its bind. */
static void test_flight(void)
{
	flight_load();
	fd = flight_add(socket(AF_INET, SOCK_STREAM, 0));
	child_run(check_open);
	thread_run(fork_beside, NULL);
	thread_run(fork_in_flight, NULL);
	close(fd);
	CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), fd);
	thread_run(fork_beside_another, NULL);
	flight_close(&fd);
	/* Then its place can be taken again. */
	for (int i = 0; i < FLIGHT_PLACES; i++) {
		fd = flight_add(socket(AF_INET, SOCK_STREAM, 0));
		thread_run(fork_beside, NULL);
		flight_close(&fd);
	}
}

int main(void)
{
	RUN(test_wait);
	RUN(test_number);
	RUN(test_has_run);
	RUN(test_flight);
	return 0;
}
