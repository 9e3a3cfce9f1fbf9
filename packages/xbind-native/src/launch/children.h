/* SPDX-License-Identifier: MIT */
/* children.h - children that the program to come is not to hear of */
#ifndef LAUNCH_CHILDREN_H
#define LAUNCH_CHILDREN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* How SIGCHLD stood before there was a child. */
struct children {
	struct sigaction action;
	bool pending;
};

/**
 * children_expect() - before fork(2): see to it that the child can be waited for
 * @ret: how SIGCHLD stood; where it was ignored, a child's exit code would be lost
 */
void children_expect(struct children *ret);

/**
 * children_reap() - wait for a child, then put SIGCHLD back as it was
 * @children:   what children_expect() has stored
 * @pid:        the child
 * @ret_status: its wait status
 *
 * Return: 0, -errno.
 */
int children_reap(const struct children *children, pid_t pid, int *ret_status);

/* Takes a pending SIGCHLD away. Where it is blocked it would stay pending for the program. */
void children_forget(void);

#endif
