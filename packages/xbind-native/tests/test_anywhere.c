/* SPDX-License-Identifier: MIT */
/*
 * test_anywhere.c - bind from everywhere in a program: early, in threads, without descriptors
 *
 * Runs with the preload library and without it. Signal handlers and forked children are in
 * test_epoll_shared.c, children of vfork(2) in test_records.c. Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/limit.h"
#include "support/pair.h"

#include <pthread.h>
#include <sys/mman.h>

#define SMALL_STACK   16384 /* bytes */
#define SPARE_FDS     4     /* up to so many free descriptors are tried */
#define EARLY_PORT    3021
#define EARLIEST_PORT 3034

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* Runs before libc has its environment, so this bind is not moved. Those after it are. */
static void bind_earliest(void)
{
	pair_bind(socket(AF_INET, SOCK_STREAM, 0),
	          EARLIEST_PORT); /* may fail: a parent may have the port */
}
__attribute__((section(".preinit_array"),
               used)) static void (*const earliest)(void) = bind_earliest;
#endif

static int early = -1;

/* Runs before main. */
__attribute__((constructor(101))) static void bind_early(void)
{
	if (!getenv("PAIR_COOKIE"))
		return;
	early = socket(AF_INET, SOCK_STREAM, 0);
	/* The child of test_child_program() finds the port in use by its parent. */
	if (pair_bind(early, EARLY_PORT) < 0 && errno != EADDRINUSE)
		abort();
}

static void test_before_main(void)
{
	CHECK(pair_is_there(early));
	CHECK_EQ(pair_port(early), EARLY_PORT);
}

/* Binds a fresh socket and checks which namespace it is in. */
static void bind_fresh(uint16_t port)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, port), 0);
	CHECK_EQ(pair_port(fd), port);
	CHECK(pair_is_there(fd));
	close(fd);
}

static void bind_with_environment(char **during, uint16_t port)
{
	char **before = environ;
	int fd = pair_socket(SOCK_STREAM), rc;

	environ = during;
	rc = pair_bind(fd, port);
	environ = before;
	CHECK_EQ(rc, 0);
	CHECK(pair_is_there(fd));
	close(fd);
}

/* As after clearenv(3). */
static void test_without_environment(void)
{
	bind_with_environment(NULL, 3022);
}

/* Another thread may be inside setenv(3) and have freed what getenv(3) would read. */
static void test_unreadable_environment(void)
{
	void *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	bind_with_environment(page, 3035);
	munmap(page, 1);
}

/* One that another library defines may be a cancellation point. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
	pthread_testcancel();
	return (int)syscall(SYS_clock_gettime, clock, now);
}

static void *bind_cancelled(void *argument)
{
	int fd = pair_socket(SOCK_STREAM), rc;

	(void)argument;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	rc = pair_bind(fd, 3023);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* close is one */
	CHECK_EQ(rc, 0);
	CHECK(pair_is_there(fd));
	close(fd);
	return NULL;
}

/* bind is not a cancellation point, whatever it calls, so a thread with a pending cancellation
 * completes it. */
static void test_pending_cancellation(void)
{
	pthread_t thread;
	void *result = NULL;

	CHECK_EQ(pthread_create(&thread, NULL, bind_cancelled, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result != PTHREAD_CANCELED);
}

static void *bind_in_thread(void *argument)
{
	(void)argument;
	bind_fresh(3024);
	return NULL;
}

static void test_small_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);

	/* The minimum is higher under a sanitizer and on processors with large registers. */
	CHECK_EQ(pthread_attr_init(&attributes), 0);
	CHECK_EQ(pthread_attr_setstacksize(&attributes, least > SMALL_STACK ? least : SMALL_STACK),
	         0);
	CHECK_EQ(pthread_create(&thread, &attributes, bind_in_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}

/* Runs in a child, since the limit stays lowered. */
static void bind_with_spare(int spare)
{
	int fd = pair_socket(SOCK_STREAM), reference = pair_socket(SOCK_DGRAM), rc;
	int top = dup(fd);
	rlim_t before;

	close(top);
	before = limit_fds((rlim_t)(top + spare));
	rc = pair_bind(fd, 3025);
	if (rc < 0) {
		CHECK(pair_preloaded() && errno == EMFILE);
		CHECK(pair_is_beside(fd, reference));
		limit_fds(before);
		CHECK_EQ(pair_bind(fd, 3025), 0);
	}
	CHECK(pair_is_there(fd));
	_exit(rc < 0 ? 1 : 0);
}

static void test_few_descriptors(void)
{
	for (int spare = 0; spare <= SPARE_FDS; spare++) {
		pid_t child = child_start();
		int status;

		if (child == 0)
			bind_with_spare(spare);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFEXITED(status));
		CHECK(WEXITSTATUS(status) == 0 || spare < 2);
	}
}

/* Daemons close all descriptors that they do not know, so also any of the library's. */
static void test_closes_all(void)
{
	bind_fresh(3027);
	syscall(SYS_close_range, 3, ~0U, 0);
	bind_fresh(3028);
	bind_fresh(3029);
}

static void test_child_program(void)
{
	execl("/proc/self/exe", "test_anywhere", "child", (char *)NULL);
	_exit(1);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "child") == 0) {
		bind_fresh(3031);
		return 0;
	}
	RUN(test_before_main);
	RUN(test_without_environment);
	RUN(test_unreadable_environment);
	RUN(test_pending_cancellation);
	RUN(test_small_stack);
	RUN(test_few_descriptors);
	RUN_BY(child_run, test_closes_all);
	if (!getenv("TEST_EMULATOR")) /* the kernel cannot exec a program for another processor */
		RUN_BY(child_run, test_child_program);
	return 0;
}
