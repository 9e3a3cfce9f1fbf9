/* SPDX-License-Identifier: MIT */
/* test_optrecord.c - what it costs to look for room in a full table. Without hooks. */
#include "core/sys.h"
#include "test.h"
#include "xbind/optrecord.h"

#include <sys/socket.h>

#define ROW 0

static int asked; /* whose table of descriptors is whose */

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

/* Nobody asks about threads unless there is a socket that one of them alone could have. */
static void test_full(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), late = socket(AF_INET, SOCK_DGRAM, 0);

	add(fd, OPTLOG_RECORDS);
	add(late, 1);
	CHECK(optrecord_is_lost(key_of(late)));
	CHECK_EQ(asked, 0);
	close(fd);
	add(late, OPTLOG_RECORDS);
	CHECK(optrecord_find(key_of(late), ROW));
	CHECK(asked > 0);
	close(late);
}

int main(void)
{
	RUN(test_full);
	return 0;
}
