/* SPDX-License-Identifier: MIT */
/* test_lock.c - a lock is held as long as its holder lives and shares this memory */
#include "core/deadline.h"
#include "support/child.h"
#include "support/forbid.h"
#include "xbind/lock.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_BYTES 65536
#define SOON_MS     20 /* milliseconds */
#define LATE_MS     10000

static _Atomic int holder;

#ifndef __SANITIZE_THREAD__
static int hold(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!lock_take(&holder, SOON_MS))
		_exit(1);
	for (;;)
		pause();
}

static void *keep(void *unused)
{
	(void)unused;
	CHECK(lock_take(&holder, SOON_MS));
	for (;;)
		pause();
}

/* Where kcmp(2) is refused, a thread of this process still counts as alive. */
static void test_thread_without_kcmp(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, keep, NULL), 0);
	while (!holder)
		poll(NULL, 0, 1);
	forbid(SYS_kcmp);
	CHECK(!lock_take(&holder, SOON_MS));
}

/* The holder is a process that shares our memory, like a child of vfork(2). */
static void test_process_with_our_memory(void)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));
	pid_t child = clone(hold, stack + STACK_BYTES, CLONE_VM | SIGCHLD, NULL);

	CHECK(child > 0);
	while (!holder)
		poll(NULL, 0, 1);
	CHECK(!lock_take(&holder, SOON_MS));
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK(lock_take(&holder, SOON_MS));
	lock_give(&holder);
}

#endif

static void take_copied(void)
{
	CHECK(lock_take(&holder, SOON_MS));
}

/* A forked child has a copy of the lock, of which the parent is not the holder. */
static void test_forked_process(void)
{
	CHECK(lock_take(&holder, SOON_MS));
	child_run(take_copied);
	lock_give(&holder);
}

/* A holder that takes the lock again, as in a signal handler, is refused at once. */
static void test_holder_itself(void)
{
	const struct deadline deadline = deadline_in(LATE_MS);

	CHECK(lock_take(&holder, SOON_MS));
	CHECK(!lock_take(&holder, LATE_MS));
	CHECK(deadline_left_ms(&deadline) > 0);
	lock_give(&holder);
}

int main(void)
{
	RUN(test_forked_process);
	RUN(test_holder_itself);
#ifndef __SANITIZE_THREAD__ /* which does not support such threads */
	RUN_BY(forbid_run, test_thread_without_kcmp);
	test_needs_kcmp();
	if (!getenv("TEST_EMULATOR")) /* where CLONE_VM makes a copy */
		RUN(test_process_with_our_memory);
#endif
	return 0;
}
