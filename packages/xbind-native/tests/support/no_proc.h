/* SPDX-License-Identifier: MIT */
/* no_proc.h - a child process that has no /proc, as in a chroot(2); for root alone */
#ifndef SUPPORT_NO_PROC_H
#define SUPPORT_NO_PROC_H

#include "test.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* Runs a test in a child that has no /proc. */
static inline void without_proc(void (*test)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(unshare(CLONE_NEWNS), 0);
		CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
		CHECK_EQ(mount("none", "/proc", "tmpfs", 0, NULL), 0);
		CHECK_EQ(access("/proc/self", F_OK), -1);
		test();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

#endif
