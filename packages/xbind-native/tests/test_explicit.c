/* SPDX-License-Identifier: MIT */
/* test_explicit.c - what was set on the last sockets is remembered, however many came before */
#include "test.h"
#include "xbind/explicit.h"

#define ROW      0
#define GONE     3000 /* sockets that came before */
#define FIRST_AT 1    /* the key of the first one */
#define BATCH    4096 /* keys, as many as the kernel gives each processor at a time */

static void test_last_ones(void)
{
	const socket_key end = FIRST_AT + GONE + EXPLICIT_SOCKETS;

	for (socket_key key = FIRST_AT; key < end; key++)
		explicit_note(key, ROW, true);
	for (socket_key key = end - EXPLICIT_SOCKETS; key < end; key++)
		CHECK(explicit_is_set(key, ROW));
	CHECK(!explicit_is_set(end, ROW));
	CHECK(!explicit_is_set(end - EXPLICIT_SOCKETS - 1, ROW));
}

/* The keys of one processor's sockets are all below those of another's. */
static void test_processors(void)
{
	const socket_key first = FIRST_AT + 100 * BATCH, second = first - BATCH;

	for (socket_key nth = 0; nth < EXPLICIT_SOCKETS; nth++)
		explicit_note(first + nth, ROW, true);
	for (socket_key nth = 0; nth < EXPLICIT_SOCKETS; nth++)
		explicit_note(second + nth, ROW, true);
	for (socket_key nth = 0; nth < EXPLICIT_SOCKETS; nth++)
		CHECK(explicit_is_set(second + nth, ROW));
}

int main(void)
{
	RUN(test_last_ones);
	RUN(test_processors);
	return 0;
}
