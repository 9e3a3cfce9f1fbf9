/* SPDX-License-Identifier: MIT */
/* test_moved.c - the last sockets that have moved are remembered, with their descriptor numbers */
#include "test.h"
#include "xbind/moved.h"

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

int main(void)
{
	RUN(test_last_ones);
	RUN(test_numbers);
	return 0;
}
