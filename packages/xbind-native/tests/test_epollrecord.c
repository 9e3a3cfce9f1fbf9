/* SPDX-License-Identifier: MIT */
/* test_epollrecord.c - the record of epoll_ctl(2) calls finds what was registered, and nothing
 * else */
#include "support/thread.h"
#include "test.h"
#include "xbind/epollrecord.h"
#include "xbind/fdtable.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FD   5
#define SETS EPOLLRECORD_SETS
#define HIGH 100 /* descriptor numbers that nothing else has */

static void note(int set, int operation, int fd, uint64_t data)
{
	const struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

	epollrecord_note(set, operation, fd, &event);
}

static void check(int set, int fd, uint64_t data)
{
	struct epoll_event found;

	CHECK(epollrecord_find(set, fd, &found));
	CHECK_EQ(found.events, EPOLLIN | EPOLLERR | EPOLLHUP); /* as /proc shows them */
	CHECK_EQ(found.data.u64, data);
}

/* Sets with the same hash each get a place of their own while there are free ones. */
static void test_sets(void)
{
	for (int i = 1; i <= SETS; i++)
		note(SETS * i, EPOLL_CTL_ADD, FD, (uint64_t)i);
	for (int i = 1; i <= SETS; i++)
		check(SETS * i, FD, (uint64_t)i);
}

static void test_changed(void)
{
	note(SETS, EPOLL_CTL_MOD, FD, 7);
	check(SETS, FD, 7);
}

static void test_other_number(void)
{
	struct epoll_event found;

	CHECK(!epollrecord_find(SETS, FD + EPOLLRECORD_FDS, &found));
	CHECK(!epollrecord_find(SETS + 1, FD, &found));
}

static void test_deleted(void)
{
	struct epoll_event found;

	note(SETS, EPOLL_CTL_DEL, FD, 0);
	CHECK(!epollrecord_find(SETS, FD, &found));
	check(2 * SETS, FD, 2);
	note(SETS + 1, EPOLL_CTL_ADD, FD, 8); /* takes the free place */
	check(SETS + 1, FD, 8);
	check(2 * SETS, FD, 2);
}

/* Only a registration of this very number that still exists can be parked. */
static void test_not_parked(void)
{
	note(SETS, EPOLL_CTL_ADD, FD + EPOLLRECORD_FDS + 1, 9);
	CHECK(!epollrecord_park(SETS, FD + 1));
	note(SETS, EPOLL_CTL_DEL, FD + EPOLLRECORD_FDS + 1, 9);
	CHECK(!epollrecord_park(SETS, FD + EPOLLRECORD_FDS + 1));
}

static void move(int fd, int number)
{
	CHECK_EQ(dup2(fd, number), number);
	close(fd);
}

/* A set finds its parked registration even if the number used for it is closed or a socket's by
 * now, but not one of another set. */
static void test_parked_by_closed_number(void)
{
	const int fd = HIGH, other = HIGH + 1, closed = HIGH + 2, set = HIGH + 3;

	test_needs_kcmp();
	move(socket(AF_INET, SOCK_STREAM, 0), fd);
	move(epoll_create1(0), other);
	note(other, EPOLL_CTL_ADD, fd, 9);
	CHECK(!epollrecord_park(set, fd));
	note(closed, EPOLL_CTL_ADD, fd, 10);
	CHECK(epollrecord_park(set, fd));
	note(set, EPOLL_CTL_DEL, fd, 10);
	note(fd, EPOLL_CTL_ADD, fd, 11);
	CHECK(epollrecord_park(set, fd));
	close(fd);
	close(other);
}

/* When the table is full, a new set displaces a parked one, and cannot be parked itself. */
static void test_parked_displaced(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	int sets[SETS + 1];

	test_needs_kcmp();
	for (int i = 0; i <= SETS; i++) {
		sets[i] = epoll_create1(0);
		note(sets[i], EPOLL_CTL_ADD, fd, 12);
		if (i < SETS)
			CHECK(epollrecord_park(sets[i], fd));
	}
	CHECK(epollrecord_is_parked(sets[1], fd));
	CHECK(!epollrecord_is_parked(sets[SETS], fd));
	for (int i = 0; i <= SETS; i++)
		close(sets[i]);
	close(fd);
}

static int parked, sets[SETS + 1];

/* In a descriptor table of its own, where the socket is closed. */
static void *note_apart(void *unused)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	close(parked);
	note(sets[SETS], EPOLL_CTL_ADD, parked + EPOLLRECORD_FDS, 13);
	return unused;
}

/* What is parked for a socket that others still have makes no room for a thread that closed it. */
static void test_parked_for_others(void)
{
	test_needs_kcmp();
	fdtable_load();
	parked = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i <= SETS; i++)
		sets[i] = epoll_create1(0);
	for (int i = 0; i < SETS; i++)
		note(sets[i], EPOLL_CTL_ADD, parked, 12);
	CHECK(epollrecord_park(sets[SETS - 1], parked));
	thread_run(note_apart, NULL);
	CHECK(epollrecord_is_parked(sets[SETS - 1], parked));
	for (int i = 0; i <= SETS; i++)
		close(sets[i]);
	close(parked);
}

int main(void)
{
	RUN(test_sets);
	RUN(test_changed);
	RUN(test_other_number);
	RUN(test_deleted);
	RUN(test_not_parked);
	RUN(test_parked_by_closed_number);
	RUN(test_parked_displaced);
	RUN(test_parked_for_others);
	return 0;
}
