/* SPDX-License-Identifier: MIT */
/* test_moved.c - the last sockets that have moved are remembered, whatever their keys are */
#include "test.h"
#include "xbind/moved.h"

#define STEP     2 /* from one key to the next: a socket that moves and the new one have one each */
#define EARLIER  3000 /* sockets */
#define NUMBER   5
#define KEY(nth) ((socket_key)(1 + (nth) * STEP))

/* Copies of a socket are noted with it, and take no place of others. */
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

int main(void)
{
	RUN(test_last_ones);
	return 0;
}
