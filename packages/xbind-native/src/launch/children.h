/* SPDX-License-Identifier: MIT */
/* children.h - hiding the launcher's child processes from the program that it becomes */
#ifndef LAUNCH_CHILDREN_H
#define LAUNCH_CHILDREN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* The state of SIGCHLD before there was a child. */
struct children {
	struct sigaction action;
	bool pending;
};

/**
 * children_expect() - before fork(2): make sure that the child can be waited for
 * @ret: the state of SIGCHLD; while it is ignored, a child's exit code is lost
 */
void children_expect(struct children *ret);

/**
 * children_reap() - wait for a child, then put SIGCHLD back as it was
 * @children: what children_expect() has stored
 * @pid:      the child
 *
 * Return: its wait status, -errno.
 */
int children_reap(const struct children *children, pid_t pid);

/* Discards a pending SIGCHLD, which the program would get where it is blocked. */
void children_forget(void);

#endif
