/* SPDX-License-Identifier: MIT */
/* test_epoll_tables.c - epoll sets where threads share memory but not the descriptor table */
#include "support/child.h"
#include "support/clone.h"
#include "support/listener.h"
#include "support/thread.h"

#include <pthread.h>
#include <sched.h>

#define NUMBERS 64 /* descriptors of this program are below */

/* Binds in another descriptor table, where set and fd are closed. A thread's table may outlive
 * it for a moment. */
static void bind_without(int set, int fd)
{
	int other;

	close(set);
	close(fd);
	other = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind(other, 3002), 0);
	close(other);
}

static void test_set_of_vfork_parent(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();
	pid_t child;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	fflush(stdout);
	child = vfork();
	if (child == 0) {
		bind_without(set, fd);
		_exit(0);
	}
	child_await(child);
	bind_and_check(fd, set);
	close(fd);
	close(set);
}

static void *bind_apart(void *argument)
{
	const int *both = argument;

	CHECK_EQ(unshare(CLONE_FILES), 0);
	bind_without(both[0], both[1]);
	return NULL;
}

static void test_set_of_other_thread(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), both[2] = {set, fd};

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	thread_run(bind_apart, both);
	bind_and_check(fd, set);
	close(fd);
	close(set);
}

static pthread_barrier_t barrier;

/* The calling thread has a set in a table of its own while another thread binds. */
static void have_set(void)
{
	int set = new_set(), fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	bind_and_check(fd, set);
	close(fd);
}

static void *have_set_apart(void *unused)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	have_set();
	return unused;
}

static void *bind_meanwhile(void *unused)
{
	int fd;

	pthread_barrier_wait(&barrier);
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind(fd, 3002), 0);
	close(fd);
	pthread_barrier_wait(&barrier);
	return unused;
}

static void test_set_of_this_thread(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, have_set_apart, NULL), 0);
	bind_meanwhile(NULL);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
}

static void *have_set_of_all(void *unused)
{
	have_set();
	return unused;
}

/* The first thread leaves the shared table, and closes in its copy what the others still have
 * open. */
static void test_set_of_others(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, have_set_of_all, NULL), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(unshare(CLONE_FILES), 0);
	for (int fd = STDERR_FILENO + 1; fd < NUMBERS; fd++)
		close(fd);
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), 3002), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

#ifndef __SANITIZE_THREAD__ /* which turns vfork(2) into fork(2) */
/* A child of vfork(2) has a set that its parent has not, and another thread of the parent binds. */
static void test_set_of_vfork_child(void)
{
	pthread_t thread;
	pid_t child;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, bind_meanwhile, NULL), 0);
	child = vfork();
	if (child == 0) {
		have_set();
		_exit(0);
	}
	child_await(child);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
}

static void *vfork_from_thread(void *unused)
{
	test_set_of_vfork_child();
	return unused;
}

static void test_set_of_vfork_child_of_thread(void)
{
	thread_run(vfork_from_thread, NULL);
}

/* The set of the child has a number that a set of the parent had before. */
static void test_reused_number_in_vfork_child(void)
{
	close(new_set());
	test_set_of_vfork_child();
}

/* In a child of clone(2), of which pthread_atfork(3) tells nobody. */
static void run_cloned(void (*body)(void))
{
	pid_t child;

	fflush(stdout);
	child = clone_with(0);
	CHECK(child >= 0);
	if (child == 0) {
		alarm(CHILD_SECONDS);
		body();
		_exit(0);
	}
	child_await(child);
}
#endif

/* The set of the thread has a number that a set of the others had before. */
static void test_reused_number(void)
{
	close(new_set());
	test_set_of_this_thread();
}

/* A set in this thread's table lives on as a copy, which the library has to search for. */
static void *bind_by_copy_apart(void *unused)
{
	int before, fd, set, copy;

	CHECK_EQ(unshare(CLONE_FILES), 0);
	before = pair_socket(SOCK_STREAM);
	fd = pair_socket(SOCK_STREAM);
	set = new_set();
	copy = dup(set);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	CHECK_EQ(pair_bind(before, 3002), 0); /* searches for sets that are older than this one */
	close(before);
	close(set);
	bind_and_check(fd, copy);
	close(fd);
	close(copy);
	return unused;
}

static void test_copied_set_of_this_thread(void)
{
	thread_run(bind_by_copy_apart, NULL);
}

int main(void)
{
	/* In child processes, where no thread has left the shared table yet. */
#ifndef __SANITIZE_THREAD__
	if (!getenv("TEST_EMULATOR")) { /* where CLONE_VM makes a copy */
		RUN_BY(child_run, test_set_of_vfork_child);
		RUN_BY(child_run, test_set_of_vfork_child_of_thread);
		RUN_BY(child_run, test_reused_number_in_vfork_child);
	}
	RUN_BY(run_cloned, test_set_of_this_thread);
#endif
	RUN_BY(child_run, test_reused_number);
	RUN_BY(child_run, test_set_of_others);
	RUN(test_copied_set_of_this_thread); /* first: a closed set starts a search */
	RUN(test_set_of_vfork_parent);
	RUN(test_set_of_other_thread);
	RUN(test_set_of_this_thread);
	return 0;
}
