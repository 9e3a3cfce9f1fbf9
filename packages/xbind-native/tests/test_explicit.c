/* SPDX-License-Identifier: MIT */
/* test_explicit.c - what was set on the last sockets is remembered, however many came before */
#include "test.h"
#include "xbind/explicit.h"

#define ROW      0
#define GONE     3000 /* sockets that came before */
#define FIRST_AT 1    /* the key of the first one; later ones count up, as SO_COOKIE does */

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

int main(void)
{
	RUN(test_last_ones);
	return 0;
}
