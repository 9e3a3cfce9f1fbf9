/* SPDX-License-Identifier: MIT */
/* test_table.c - what it costs to know whose table of descriptors a number is from */
#include "core/sys.h"
#include "test.h"
#include "xbind/table.h"

#include <pthread.h>
#include <sched.h>

static int calls;

long sys_call(long number, const long args[6])
{
	long rc = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);

	calls++;
	return rc < 0 ? -errno : rc;
}

/*
 * Whom the others are compared with needs no look: most programs make their epoll sets there. It
 * asks which process it is, since the child of vfork(2) looks the same.
 */
static void test_first_thread(void)
{
	table_load();
	calls = 0;
	table_note();
	CHECK_EQ(calls, 1);
}

static void *note(void *unused)
{
	table_note();
	return unused;
}

static void *leave_and_note(void *unused)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	return note(unused);
}

static void run_thread(void *(*body)(void *))
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, body, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void test_other_threads(void)
{
	run_thread(note);
	CHECK(!table_is_shared());
	run_thread(leave_and_note);
	CHECK(table_is_shared());
}

int main(void)
{
	RUN(test_first_thread);
	if (unshare(CLONE_FILES) < 0)
		test_skip("unshare(2) is refused, as in a container");
	RUN(test_other_threads);
	return 0;
}
