/* SPDX-License-Identifier: MIT */
/* test_copies.c - the cost of finding the copies of a socket, without hooks */
#include "support/replace.h"
#include "xbind/claim.h"

#define HIGH 900 /* descriptor number; to try each one below it takes long */
#define FEW  100 /* system calls */

static int calls;

long sys_call(long number, const long args[6])
{
	calls++;
	return test_enter(number, args);
}

/* The copy has the next number. Once it has followed, the search ends. */
static void test_dup(void)
{
	int first = socket(AF_INET, SOCK_STREAM, 0), fd = fcntl(first, F_DUPFD, HIGH), copy;
	struct lock_turn turn;

	close(first);
	copy = fcntl(fd, F_DUPFD, HIGH);
	calls = 0;
	replace(fd, SOCK_STREAM);
	CHECK(calls < FEW);
	check_follows(copy, fd);
	turn = claim_number(copy);
	CHECK(turn.held); /* the claim on its number has been released */
	lock_leave(&turn);
	close(fd);
	close(copy);
}

int main(void)
{
	RUN(test_dup);
	return 0;
}
