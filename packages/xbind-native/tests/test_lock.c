/* SPDX-License-Identifier: MIT */
/* test_lock.c - a lock is somebody's for as long as that one lives and has the same memory */
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

static void wait_for_keeper(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, keep, NULL), 0);
	while (!holder)
		poll(NULL, 0, 1);
	forbid(SYS_kcmp);
	CHECK(!lock_take(&holder, SOON_MS));
}

/* Where kcmp(2) is refused, a thread of this process lives all the same. */
static void test_thread_without_kcmp(void)
{
	child_run(wait_for_keeper);
}

/* A process that has our memory, as the child of vfork(2) has. */
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

/* To hold its copy of the lock is not to hold ours, and in the copy we are not the holder. */
static void test_forked_process(void)
{
	pid_t child;

	CHECK(lock_take(&holder, SOON_MS));
	child = fork();
	if (child == 0)
		_exit(!lock_take(&holder, SOON_MS));
	child_await(child);
	lock_give(&holder);
}

/* In a signal handler, for one: it hears at once that what it interrupted holds it. */
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
#ifndef __SANITIZE_THREAD__ /* which has its own view of threads */
	if (forbid_works())
		RUN(test_thread_without_kcmp);
	test_needs_kcmp();
	if (!getenv("TEST_EMULATOR")) /* where no process has another one's memory */
		RUN(test_process_with_our_memory);
#endif
	return 0;
}
