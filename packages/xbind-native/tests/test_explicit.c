/* SPDX-License-Identifier: MIT */
/* test_explicit.c - what is noted of options, and remembered, however many sockets came before */
#include "support/child.h"
#include "support/forbid.h"
#include "xbind/explicit.h"

#include <sys/resource.h>

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

/* What was set on the socket that had the place before is not set on the next one. */
static void test_same_place(void)
{
	const socket_key key = FIRST_AT + 200 * BATCH;

	for (socket_key nth = 0; nth < EXPLICIT_SOCKETS; nth++)
		explicit_note(key + nth, ROW, true);
	explicit_note(key + EXPLICIT_SOCKETS, ROW + 1, true);
	CHECK(!explicit_is_set(key + EXPLICIT_SOCKETS, ROW));
}

/* What is closed before it can be noted is not what is closed before it is looked at. */
static void test_no_key(void)
{
	explicit_note(KEY_NONE, ROW, true);
	CHECK(!explicit_is_set(KEY_NONE, ROW));
}

/* Any number may be the default where that cannot be read. */
static void set_unknown(int fd)
{
	const int row = option_find(IPPROTO_IP, IP_TTL);

	for (int ttl = 64; ttl < 66; ttl++)
		CHECK(explicit_is_worth(fd, row, &ttl, sizeof(ttl)));
}

static void set_unreadable(void)
{
	forbid_option(IPPROTO_IP, IP_TTL);
	set_unknown(socket(AF_INET, SOCK_STREAM, 0));
}

static void set_without_another(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	const struct rlimit none = {0, 0};

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	set_unknown(fd);
}

static void test_unknown(void)
{
	if (!forbid_works())
		return;
	child_run(set_unreadable);
	child_run(set_without_another);
}

int main(void)
{
	RUN(test_no_key); /* first: there are empty places */
	RUN(test_last_ones);
	RUN(test_processors);
	RUN(test_same_place);
	RUN(test_unknown);
	return 0;
}
