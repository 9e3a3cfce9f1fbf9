/* SPDX-License-Identifier: MIT */
/* test_exec_as.c - which descriptors a program has that replaces this one */
#include "support/child.h"

#include "core/sys.h"
#include "xsocket/private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define STRAY_FD 50    /* open and not close-on-exec */
#define MANY     20000 /* variables; Kubernetes sets seven for each service */

static char argv[] = "/bin/sh\0"
                     "-c\0"
                     "cd /proc/self/fd && test -e 3 && test -e 4 && ! test -e 5 && ! test -e 50";
static char few[] = "A=b";

/* Does close_range(2) lack CLOSE_RANGE_CLOEXEC, as in Linux 5.9 and 5.10? */
static bool is_old;
/* Does the kernel refuse PR_SET_NO_NEW_PRIVS, the last step before exec? */
static bool is_refused;

/* Calls about privileges, which succeed here without doing anything, so that any user can run
 * the test. */
static bool is_about_privileges(long number)
{
#ifdef SYS_setgroups32
	if (number == SYS_setgroups32 || number == SYS_setresgid32 || number == SYS_setresuid32)
		return true;
#endif
	return number == SYS_capget || number == SYS_capset || number == SYS_setgroups ||
	       number == SYS_setresgid || number == SYS_setresuid;
}

long sys_call(long number, const long args[6])
{
	if (is_refused && number == SYS_prctl && args[0] == PR_SET_NO_NEW_PRIVS)
		return -EPERM;
	if (number == SYS_prctl)
		return args[0] == PR_CAPBSET_READ ? -EINVAL : 0;
	if (is_about_privileges(number))
		return 0;
	if (is_old && number == SYS_close_range && (unsigned)args[2] & CLOSE_RANGE_CLOEXEC)
		return -EINVAL;
	return test_enter(number, args);
}

/* Return: the error. Without one this process is the shell. */
static int exec_with(char *env, unsigned env_len)
{
	CHECK_EQ(dup2(STDOUT_FILENO, STRAY_FD), STRAY_FD);
	syscall(SYS_close_range, 3, STRAY_FD - 1, 0); /* also the numbers that it assigns */
	return xs1_exec_as(STRAY_FD, STRAY_FD, 0, 0, NULL, 0, argv, sizeof(argv), env, env_len);
}

/* The shell looks at the descriptors. */
static void exec_and_look(char *env, unsigned env_len)
{
	FAIL("error %d", exec_with(env, env_len));
}

static void test_descriptors(void)
{
	exec_and_look(few, sizeof(few));
}

static void test_environment_of_a_large_cluster(void)
{
	static char many[MANY * sizeof(few)];

	for (size_t i = 0; i < MANY; i++)
		memcpy(many + i * sizeof(few), few, sizeof(few));
	exec_and_look(many, sizeof(many));
}

static void test_descriptors_of_an_old_kernel(void)
{
	is_old = true;
	exec_and_look(few, sizeof(few));
}

static void test_a_refusal_leaves_the_caller_what_it_had(void)
{
	is_refused = true;
	CHECK_EQ(exec_with(few, sizeof(few)), -EPERM);
	CHECK_EQ(fcntl(3, F_GETFD), -1);
	CHECK_EQ(fcntl(4, F_GETFD), -1);
	CHECK_EQ(fcntl(STRAY_FD, F_GETFD), 0);
}

int main(void)
{
	RUN_BY(child_run, test_descriptors);
	RUN_BY(child_run, test_environment_of_a_large_cluster);
	RUN_BY(child_run, test_a_refusal_leaves_the_caller_what_it_had);
	RUN_BY(child_run, test_descriptors_of_an_old_kernel);
	return 0;
}
