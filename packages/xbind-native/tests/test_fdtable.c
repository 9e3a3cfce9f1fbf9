/* SPDX-License-Identifier: MIT */
/* test_fdtable.c - which threads share this descriptor table, what it costs to know, and where it
 * ends */
#include "core/sys.h"
#include "support/limit.h"
#include "support/thread.h"
#include "xbind/fdtable.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define MANY 65536 /* numbers; the search ends here if the real end is unknown */
#define FEW  1000

static int calls, looks, openings; /* all system calls; those of kcmp(2); those of openat(2) */
static bool is_proc_closed;

/* A thread that ends right after kcmp(2) was asked about it. */
static pthread_t brief;
static _Atomic int brief_id;
static sem_t brief_end;

static void end_brief(void)
{
	brief_id = 0;
	CHECK_EQ(sem_post(&brief_end), 0);
	CHECK_EQ(pthread_join(brief, NULL), 0);
}

long sys_call(long number, const long args[6])
{
	long rc = test_enter(number, args);

	calls++;
	looks += number == SYS_kcmp;
	openings += number == SYS_openat;
	if (number == SYS_kcmp && brief_id && args[1] == brief_id)
		end_brief();
	if (is_proc_closed && number == SYS_openat) {
		if (rc >= 0)
			close((int)rc);
		return -EACCES;
	}
	return rc;
}

static rlim_t hard_limit(void)
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_max;
}

static void test_end_unknown(void)
{
	const rlim_t hard = hard_limit();

	is_proc_closed = true;
	CHECK_EQ(fdtable_end(), hard < MANY ? hard : MANY);
	limit_fds_for_good(FEW + 1);
	CHECK_EQ(fdtable_end(), FEW + 1);
	is_proc_closed = false;
}

/* The end is after the last open descriptor, even one above the limit. */
static void test_end(void)
{
	int fd = fcntl(0, F_DUPFD, FEW);

	CHECK_EQ(fd, FEW);
	limit_fds_for_good(FEW);
	CHECK(fdtable_end() > fd);
	close(fd);
}

/* The first thread need not be compared: most programs make their epoll sets there. One call
 * asks for the process, since a child of vfork(2) looks the same. */
static void test_first_thread(void)
{
	fdtable_load();
	calls = 0;
	fdtable_note();
	CHECK_EQ(calls, 1);
}

/* Only a child of vfork(2) is compared with its parent: AppArmor and SELinux may refuse that and
 * log it. */
static void test_parent(void)
{
	looks = 0;
	CHECK(!fdtable_has_others());
	CHECK_EQ(looks, 0);
}

/* A seccomp filter may kill the program for kcmp(2), and every epoll set is noted. */
static void *note(void *unused)
{
	const int before = looks;

	fdtable_note();
	CHECK_EQ(looks, before);
	return unused;
}

static void *leave_and_ask(void *unused)
{
	CHECK(!fdtable_has_others());
	CHECK_EQ(unshare(CLONE_FILES), 0);
	CHECK(fdtable_has_others());
	return unused;
}

static void test_other_threads(void)
{
	thread_run(note, NULL);
	CHECK(!fdtable_has_others());
	thread_run(leave_and_ask, NULL);
	while (fdtable_has_others()) /* it may still be ending */
		sched_yield();
}

static sem_t noted_apart, end_apart;

static void *note_apart(void *unused)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	fdtable_note();
	CHECK_EQ(sem_post(&noted_apart), 0);
	CHECK_EQ(sem_wait(&end_apart), 0);
	return unused;
}

/* A thread is not forgotten because another one has noted a number since. */
static void test_several_threads(void)
{
	pthread_t thread;

	CHECK_EQ(sem_init(&noted_apart, 0, 0), 0);
	CHECK_EQ(sem_init(&end_apart, 0, 0), 0);
	CHECK_EQ(pthread_create(&thread, NULL, note_apart, NULL), 0);
	CHECK_EQ(sem_wait(&noted_apart), 0);
	is_proc_closed = true; /* the last one that noted is known without */
	CHECK(fdtable_has_others());
	is_proc_closed = false;
	thread_run(note, NULL);
	is_proc_closed = true;
	CHECK(!fdtable_has_others());
	is_proc_closed = false;
	CHECK(fdtable_has_others());
	CHECK(fdtable_has_others());
	CHECK_EQ(sem_post(&end_apart), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	while (fdtable_has_others())
		sched_yield();
}

/* All threads are looked at once, and again when another number has been noted. */
static void test_looks(void)
{
	thread_run(note, NULL);
	openings = 0;
	CHECK(!fdtable_has_others());
	CHECK(!fdtable_has_others());
	CHECK_EQ(openings, 1);
}

static void *be_brief(void *unused)
{
	brief_id = sys_gettid();
	CHECK_EQ(sem_wait(&brief_end), 0);
	return unused;
}

/* A thread that ends, at whatever moment, has no table of its own. */
static void test_ending_thread(void)
{
	CHECK_EQ(sem_init(&brief_end, 0, 0), 0);
	CHECK_EQ(pthread_create(&brief, NULL, be_brief, NULL), 0);
	while (!brief_id)
		sched_yield();
	CHECK(!fdtable_is_apart_from(brief_id));
	CHECK_EQ(brief_id, 0);
}

int main(void)
{
	RUN(test_first_thread);
	RUN(test_parent);
	RUN(test_end_unknown);
	RUN(test_end);
	RUN(test_ending_thread);
	/* Only tests for permission: helper threads of an emulator or sanitizer would keep the
	 * old table. */
	if (unshare(0) < 0)
		test_skip("unshare(2) is refused, as in a container");
	RUN(test_other_threads);
	RUN(test_several_threads);
	RUN(test_looks);
	return 0;
}
