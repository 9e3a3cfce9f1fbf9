/* SPDX-License-Identifier: MIT */
/* test_moved.c - the last sockets that have moved are remembered, with their descriptor numbers */
#include "test.h"
#include "xbind/moved.c" /* for its count, which takes days to get where a test needs it */

#include <limits.h>

#define STEP     2    /* keys: a socket that moves and the new one have one each */
#define EARLIER  3000 /* sockets */
#define NUMBER   5
#define KEY(nth) ((socket_key)(1 + (nth) * STEP))

/* A copy is recorded with its socket, and does not displace others. */
static void test_last_ones(void)
{
	const int end = EARLIER + MOVED_SOCKETS;

	for (int nth = 0; nth < end; nth++) {
		moved_note(KEY(nth), NUMBER);
		moved_note(KEY(nth), NUMBER + 1);
	}
	for (int nth = EARLIER; nth < end; nth++)
		CHECK(moved_is(KEY(nth)));
	CHECK(!moved_is(KEY(EARLIER - 1)));
	CHECK(!moved_is(KEY(end)));
}

/* A record does not count for another number in the same place, nor for a later count. */
static void test_numbers(void)
{
	const unsigned before = moved_count();

	CHECK(!moved_since(NUMBER, before));
	moved_note(KEY(0), NUMBER);
	CHECK(moved_since(NUMBER, before));
	CHECK(!moved_since(NUMBER + MOVED_NUMBERS, before));
	CHECK(!moved_since(NUMBER, moved_count()));
}

/* A program that binds a thousand times a second comes half round the count in 25 days. */
static void test_count_wraps(void)
{
	const unsigned counts[] = {INT_MAX, INT_MAX + 10U, UINT_MAX - 1, UINT_MAX};

	for (size_t i = 0; i < COUNT(counts); i++) {
		atomic_store(&count, 0);
		moved_note(KEY(0), NUMBER);
		atomic_store(&count, counts[i]);
		CHECK(!moved_since(NUMBER, counts[i]));
		moved_note(KEY(0), NUMBER + 1);
		CHECK(!moved_since(NUMBER, counts[i]));
		CHECK(moved_since(NUMBER + 1, counts[i]));
	}
}

int main(void)
{
	RUN(test_last_ones);
	RUN(test_numbers);
	RUN(test_count_wraps);
	return 0;
}
