/* SPDX-License-Identifier: MIT */
/* test_explicit.c - which options were set is remembered for the last sockets */
#include "core/sys.h"
#include "support/child.h"
#include "support/forbid.h"
#include "support/limit.h"
#include "xbind/defaults.h"
#include "xbind/explicit.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>

#define ROW      0
#define GONE     3000 /* earlier sockets */
#define FIRST_AT 1    /* key of the first socket */
#define BATCH    4096 /* keys; the kernel hands them to processors in batches of this size */

static bool is_pestered; /* raise a signal when a socket has been made? */
static sigjmp_buf before_call;

long sys_call(long number, const long args[6])
{
	const long rc = test_enter(number, args);

	if (number == SYS_socket && is_pestered)
		raise(SIGALRM);
	return rc;
}

static void leave(int number)
{
	(void)number;
	siglongjmp(before_call, 1);
}

/* A handler that jumps away leaves no socket open that was made to read a default. */
static void test_left(void)
{
	const struct sigaction action = {.sa_handler = leave};
	const int fd = socket(AF_INET, SOCK_STREAM, 0), ttl = 64;

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	is_pestered = true;
	if (sigsetjmp(before_call, 1) == 0) {
		explicit_needs_note(fd, option_find(IPPROTO_IP, IP_TTL), &ttl, sizeof(ttl));
		FAIL("no signal has come");
	}
	is_pestered = false;
	close(fd);
}

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

/* The keys of one processor's sockets are all lower than those of another's. */
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

/* What was set on an earlier socket in the same place of the table is not set on the next one. */
static void test_same_place(void)
{
	const socket_key key = FIRST_AT + 200 * BATCH;

	for (socket_key nth = 0; nth < EXPLICIT_SOCKETS; nth++)
		explicit_note(key + nth, ROW, true);
	explicit_note(key + EXPLICIT_SOCKETS, ROW + 1, true);
	CHECK(!explicit_is_set(key + EXPLICIT_SOCKETS, ROW));
}

/* A socket without a key (closed meanwhile) is not noted, and none is found. */
static void test_no_key(void)
{
	explicit_note(KEY_NONE, ROW, true);
	CHECK(!explicit_is_set(KEY_NONE, ROW));
}

/* Where the default cannot be read, any value may be equal to it, and has to be noted. */
static void set_unknown(int fd)
{
	const int row = option_find(IPPROTO_IP, IP_TTL);

	for (int ttl = 64; ttl < 66; ttl++)
		CHECK(explicit_needs_note(fd, row, &ttl, sizeof(ttl)));
}

static void test_unreadable(void)
{
	forbid_option(IPPROTO_IP, IP_TTL);
	set_unknown(socket(AF_INET, SOCK_STREAM, 0));
}

static void test_without_another(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	limit_fds_for_good(0);
	set_unknown(fd);
}

static void check_defaults(int domain, int type, int protocol)
{
	const struct kind kind = {.domain = domain, .type = type, .protocol = protocol};
	const int fd = socket(domain, type, protocol);
	struct option_value fresh;
	struct defaults defaults;

	if (fd < 0)
		return; /* this kernel does not have the protocol */
	CHECK_EQ(defaults_open(fd, &kind, &defaults), 0);
	for (int row = 0; row < OPTIONS_COUNT; row++) {
		const struct option_value *kept = defaults_get(&defaults, row);

		CHECK_EQ(defaults_ask(&kind, &options[row], &fresh), 0);
		if (options[row].how != OPTION_PLAIN)
			continue;
		CHECK_EQ(kept->error, fresh.error);
		CHECK(kept->error < 0 || option_is_same(kept, &fresh));
	}
	defaults_close(&defaults);
	close(fd);
}

/* Defaults that were read for one kind of socket are not used for another. */
static void test_kinds(void)
{
	for (int round = 0; round < 2; round++) {
		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			const int domain = ipv6 ? AF_INET6 : AF_INET;

			check_defaults(domain, SOCK_STREAM, IPPROTO_TCP);
			check_defaults(domain, SOCK_DGRAM, IPPROTO_UDP);
			check_defaults(domain, SOCK_DGRAM, IPPROTO_UDPLITE);
			check_defaults(domain, SOCK_STREAM, IPPROTO_MPTCP_);
		}
	}
}

int main(void)
{
	RUN(test_kinds);
	RUN(test_left);
	RUN(test_no_key); /* first, while there are empty places */
	RUN(test_last_ones);
	RUN(test_processors);
	RUN(test_same_place);
	RUN_BY(forbid_run, test_unreadable);
	RUN_BY(forbid_run, test_without_another);
	return 0;
}
