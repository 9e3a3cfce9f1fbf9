/* SPDX-License-Identifier: MIT */
/*
 * real.h - the functions that the hooks stand in front of
 *
 * They are the next ones in the search order of the dynamic linker: those of libc, or of another
 * preloaded library behind this one. All return 0 or a value, -errno on failure, and leave errno
 * alone; -ENOSYS where there is none.
 */
#ifndef XBIND_REAL_H
#define XBIND_REAL_H

#include <sys/socket.h>

struct epoll_event;
struct sockaddr_in;

int real_bind(int fd, const void *addr, socklen_t len);
int real_bindresvport(int fd, struct sockaddr_in *addr);
int real_chroot(const char *path);
int real_epoll_create(int size);
int real_epoll_create1(int flags);
int real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int real_listen(int fd, int backlog);
int real_rresvport_af(int *port, sa_family_t family);
int real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int real_setsockopt64(int fd, int level, int name, const void *value, socklen_t len);
int real_shutdown(int fd, int how);

/* The next syscall(2), which returns -1 with errno as libc's does; NULL where there is none. */
typedef long real_syscall_function(long number, long a, long b, long c, long d, long e, long f);
real_syscall_function *real_syscall(void);

/* libc's own, past other libraries; where dlsym is not hooked, the next one. */
real_syscall_function *real_syscall_of_libc(void);

/* Looks all of them up: for the constructor, where the stack is large and no handler runs. */
void real_load(void);

#endif
