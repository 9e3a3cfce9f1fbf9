/* SPDX-License-Identifier: MIT */
/* child.h - child processes, for changes that this process could not undo */
#ifndef SUPPORT_CHILD_H
#define SUPPORT_CHILD_H

#include "test.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/wait.h>

#define CHILD_SECONDS 450 /* until it is killed, before ctest ends the test */

/* Waits for the child, which must exit with 0. */
static inline void child_await(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

/* Like fork(2), but a child that takes too long is killed. */
static inline pid_t child_start(void)
{
	pid_t child;

	fflush(stdout); /* else the child writes it, too */
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		alarm(CHILD_SECONDS);
	return child;
}

/* Runs body in a child process, and waits for it. */
static inline void child_run(void (*body)(void))
{
	const pid_t child = child_start();

	if (child == 0) {
		body();
		_exit(0);
	}
	child_await(child);
}

/* Runs body in a child process whose descriptor fd is a pipe. Return: its status; output is what it
 * has written there. */
static inline int child_capture(void (*body)(void), int fd, char *output, size_t size,
                                pid_t *ret_child)
{
	int ends[2], status;
	size_t len = 0;
	pid_t child;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	child = child_start();
	if (child == 0) {
		dup2(ends[1], fd);
		body();
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], output + len, size - 1 - len)) > 0;)
		len += (size_t)n;
	output[len] = '\0';
	close(ends[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	*ret_child = child;
	return status;
}

/* A child that only keeps open what was open when it was made. */
struct child_holder {
	pid_t pid;
	int end; /* of a pipe: when it is closed, the child ends */
};

static inline struct child_holder child_hold(void)
{
	struct child_holder holder;
	int ends[2];
	char byte;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	holder.pid = child_start();
	if (holder.pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	close(ends[0]);
	holder.end = ends[1];
	return holder;
}

static inline void child_let_go(struct child_holder holder)
{
	close(holder.end);
	child_await(holder.pid);
}

static inline void child_drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	CHECK_EQ(syscall(SYS_capset, &header, none), 0);
}

#endif
