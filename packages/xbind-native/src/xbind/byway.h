/* SPDX-License-Identifier: MIT */
/*
 * byway.h - bind and listen for a program that does not call them by name: it has looked them up in
 * libc by dlsym(3), or makes the system call by syscall(2)
 *
 * A socket that does not move is bound by the kernel here and not by the next library, which may be
 * the caller itself, on its way to libc.
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
