/* SPDX-License-Identifier: MIT */
/* clone.h - the bare clone(2), without libc's wrapper */
#ifndef SUPPORT_CLONE_H
#define SUPPORT_CLONE_H

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Like fork(2), with flags. */
static inline pid_t clone_with(long flags)
{
#ifdef __s390x__ /* which takes the stack first */
	return (pid_t)syscall(SYS_clone, 0L, flags | SIGCHLD, 0L, 0L, 0L);
#else
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0L, 0L, 0L, 0L);
#endif
}

#endif
