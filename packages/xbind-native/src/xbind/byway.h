/* SPDX-License-Identifier: MIT */
/*
 * byway.h - bind and listen for callers that go past the hooks: by a pointer that dlsym(3) found in
 * libc, or by syscall(2)
 *
 * For a socket that does not move they make the system call themselves. The next library in the
 * search order may be the caller, on its way to libc.
 */
#ifndef XBIND_BYWAY_H
#define XBIND_BYWAY_H

#include <sys/socket.h>

/* Shaped like libc's functions: 0, or -1 and errno. */
int byway_bind(int fd, const void *addr, socklen_t len);
int byway_listen(int fd, int backlog);

#if HOOKS_DLSYM
/* syscall(2); hook_syscall.S has it. */
long byway_syscall(long number, ...);
#endif

#endif
