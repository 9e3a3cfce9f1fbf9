/* SPDX-License-Identifier: MIT */
/* no_proc.h - a child process without /proc, as after chroot(2) */
#ifndef SUPPORT_NO_PROC_H
#define SUPPORT_NO_PROC_H

#include "support/child.h"

#include <sched.h>
#include <sys/mount.h>

/* Runs a test in a child that has no /proc. Only root can. */
static inline void without_proc(void (*test)(void))
{
	pid_t child;

	if (geteuid() != 0)
		return;
	child = child_start();
	if (child == 0) {
		CHECK_EQ(unshare(CLONE_NEWNS), 0);
		CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
		CHECK_EQ(mount("none", "/proc", "tmpfs", 0, NULL), 0);
		CHECK_EQ(access("/proc/self", F_OK), -1);
		test();
		_exit(0);
	}
	child_await(child);
}

#endif
