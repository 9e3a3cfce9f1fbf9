/* SPDX-License-Identifier: MIT */
/* test_optrecord.c - the cost of finding room in a full table, without hooks */
#include "core/sys.h"
#include "test.h"
#include "xbind/optrecord.h"

#include <sys/socket.h>

#define ROW 0

static int asked; /* calls of kcmp(2) */

long sys_call(long number, const long args[6])
{
	asked += number == SYS_kcmp;
	return test_enter(number, args);
}

static void add(int fd, int times)
{
	const struct lock_turn turn = optrecord_enter();

	for (int i = 0; i < times; i++)
		optrecord_add(fd, key_of(fd), ROW, "", 1);
	lock_leave(&turn);
}

/* The tables of threads are compared only if a socket might be open in one of them alone. */
static void test_full(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), late = socket(AF_INET, SOCK_DGRAM, 0);

	add(fd, OPTRECORD_COUNT);
	add(late, 1);
	CHECK(optrecord_is_lost(key_of(late)));
	CHECK_EQ(asked, 0);
	close(fd);
	add(late, OPTRECORD_COUNT);
	CHECK(optrecord_find(key_of(late), ROW));
	CHECK(asked > 0);
	close(late);
}

int main(void)
{
	RUN(test_full);
	return 0;
}
