/* SPDX-License-Identifier: MIT */
/*
 * test_claim.c - who changes a socket waits for the swap of that one, and of no other
 *
 * And what a swap has for a while is closed in a child that another thread forks.
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

/* Nor does it go on while the number is being exchanged, whatever socket has it by now. */
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

/* Who changes an option asks whether one has run meanwhile, and waits for none if not. */
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
	CHECK(!claim_wait(fd, before)); /* it was that of another socket */
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

/* What has the number by then is the program's. */
static void *fork_beside_another(void *unused)
{
	child_run(check_open);
	return unused;
}

/* This thread may have a swap of its own under way. */
static void *fork_in_flight(void *unused)
{
	const int other = socket(AF_INET, SOCK_STREAM, 0), place = flight_add(other);

	child_run(check_closed);
	flight_end(&place);
	close(other);
	return unused;
}

/* But not in one that this thread forks, in the middle of its own bind. */
static void test_flight(void)
{
	int place;

	flight_load();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	place = flight_add(fd);
	child_run(check_open);
	thread_run(fork_beside, NULL);
	thread_run(fork_in_flight, NULL);
	close(fd);
	CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), fd);
	thread_run(fork_beside_another, NULL);
	flight_end(&place);
	for (int i = 0; i < FLIGHT_PLACES; i++) {
		place = flight_add(fd);
		CHECK(place >= 0);
		flight_end(&place);
	}
	close(fd);
}

int main(void)
{
	RUN(test_wait);
	RUN(test_number);
	RUN(test_has_run);
	RUN(test_flight);
	return 0;
}
