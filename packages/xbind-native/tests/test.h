/* SPDX-License-Identifier: MIT */
/*
 * test.h - the harness of the C tests
 *
 * A test program lists its cases in main() by RUN(name), or by RUN_BY(run, name), where run() calls
 * the case, for example in a child process. CHECK() ends the program and prints the place and the
 * values. RUN() counts the open descriptors before and after the case, and checks that no further
 * signal is blocked afterwards.
 */
#ifndef TEST_H
#define TEST_H

#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#define FAIL(...)                                                                                  \
	do {                                                                                       \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
		exit(1);                                                                           \
	} while (0)

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			FAIL("%s does not hold (errno %d: %s)", #condition, errno,                 \
			     strerror(errno));                                                     \
	} while (0)

#define CHECK_EQ(actual, expected)                                                                 \
	do {                                                                                       \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected);        \
		if (actual_ != expected_)                                                          \
			FAIL("%s is %lld, not %lld (errno %d: %s)", #actual, actual_, expected_,   \
			     errno, strerror(errno));                                              \
	} while (0)

/* The call returns -1 and sets this errno. */
#define CHECK_FAILS(call, error)                                                                   \
	do {                                                                                       \
		if ((call) != -1)                                                                  \
			FAIL("%s does not fail", #call);                                           \
		if (errno != (error))                                                              \
			FAIL("%s fails with %s, not %s", #call, strerror(errno), #error);          \
	} while (0)

#define RUN_CALL(call, name)                                                                       \
	do {                                                                                       \
		int before_ = test_open_fds();                                                     \
		uint64_t blocked_ = test_blocked_signals();                                        \
		call;                                                                              \
		if (test_open_fds() != before_)                                                    \
			FAIL("%s: %d descriptors before, %d after", name, before_,                 \
			     test_open_fds());                                                     \
		if (test_blocked_signals() != blocked_)                                            \
			FAIL("%s: other signals are blocked than before", name);                   \
		printf("ok %s\n", name);                                                           \
		fflush(stdout); /* a crash would lose it */                                        \
	} while (0)
#define RUN(test)         RUN_CALL(test(), #test)
#define RUN_BY(run, test) RUN_CALL(run(test), #test)

/* Of a call: 0, or errno if it has failed. */
static inline int error_of(int rc)
{
	return rc < 0 ? errno : 0;
}

/* Ends a test program that cannot run here; ctest shows it as skipped. */
static inline void test_skip(const char *reason)
{
	fprintf(stderr, "skipped: %s\n", reason);
	exit(77);
}

/* Some sandboxes and kernels do not permit kcmp(2). */
static inline void test_needs_kcmp(void)
{
	if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILES, 0, 0) < 0 && !getenv("TEST_EMULATOR"))
		test_skip("kcmp(2) is refused, as in a container");
}

/* Kernels can be built or booted without IPv6, or disable it in new namespaces. */
static inline void test_needs_ipv6(void)
{
	const struct sockaddr_in6 addr = {
	    .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));

	if (fd >= 0)
		close(fd);
	if (rc < 0)
		test_skip("what has been tried is well; the rest needs IPv6");
}

/* Executes a program with two arguments, through TEST_EMULATOR if this machine cannot run it
 * directly. */
static inline void test_exec(const char *program, const char *first, const char *second)
{
	if (getenv("TEST_EMULATOR"))
		execlp("sh", "sh", "-c", "exec $TEST_EMULATOR \"$@\"", "sh", program, first, second,
		       NULL);
	else
		execl(program, program, first, second, NULL);
	_exit(127);
}

/* The system call itself, for tests that replace sys_call() (core/sys.h). */
static inline long test_enter(long number, const long args[6])
{
	long rc = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);

	return rc < 0 ? -errno : rc;
}

/* The signal mask of this thread, one bit for each signal. */
static inline uint64_t test_blocked_signals(void)
{
	uint64_t mask = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	return mask;
}

/* The number of open descriptors of this process; -1 without /proc. */
static inline int test_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* leaves out the one of opendir(3) */

	if (!dir)
		return -1;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

#endif
