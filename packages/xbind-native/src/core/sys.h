/* SPDX-License-Identifier: MIT */
/*
 * sys.h - system calls that return a value or -errno
 *
 * How it works: every call goes to sys_call(), which enters the kernel by
 * syscall(2). So no call is a cancellation point, none meets a symbol that a
 * preload library (ours included) has replaced, and errno stays as it was.
 * libxbind, which stands in front of syscall(2), and a test that needs a
 * failing call link their own sys_call() in front of sys.c.
 *
 * A plain call that one place alone makes needs no function here: SYS_CALL() does.
 */
#ifndef CORE_SYS_H
#define CORE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct pollfd;
struct epoll_event;
struct statx;

/**
 * sys_call() - the one way into the kernel
 * @number: system call number (SYS_...)
 * @args:   its six arguments; those that the call does not take are 0
 *
 * Return: what the kernel returned, -errno on failure. errno is untouched.
 */
long sys_call(long number, const long args[6]);

/* The same with as many arguments as the call takes, each of them a long. */
#define SYS_CALL(number, ...) sys_call(number, (const long[6]){__VA_ARGS__})

int sys_socket(int domain, int type, int protocol);
int sys_bind(int fd, const void *addr, socklen_t addr_len);
int sys_listen(int fd, int backlog);
int sys_connect(int fd, const void *addr, socklen_t addr_len);
long sys_sendto(int fd, const void *buf, size_t len, int flags);
long sys_recvfrom(int fd, void *buf, size_t len, int flags);
long sys_recvmsg(int fd, struct msghdr *msg, int flags);
int sys_shutdown(int fd, int how);
int sys_getsockname(int fd, void *addr, socklen_t *len);
int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

/* getsockopt(2) of an option whose value is an int, never negative. Return: the value or -errno. */
int sys_getsockopt_int(int fd, int level, int name);

int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int sys_close(int fd);
int sys_dup3(int from, int to, int flags);
int sys_fcntl(int fd, int command, long arg);
int sys_ioctl(int fd, unsigned long request, void *arg);
int sys_fchown(int fd, unsigned uid, unsigned gid);
int sys_epoll_create1(int flags);
int sys_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int wait_ms);
long sys_read(int fd, void *buf, size_t len);
long sys_write(int fd, const void *buf, size_t len);
unsigned sys_geteuid(void);
int sys_getpid(void);

/* Opens a path below /proc for reading, close-on-exec. Return: a descriptor, which the caller
 * closes; -ENOENT where that is not procfs, since after chroot(2) anybody may have put a file
 * there. */
int sys_open_proc(const char *path, int flags);

/* RLIMIT_NOFILE, soft and hard, with 64 bits each on every machine. */
int sys_descriptor_limits(uint64_t ret[2]);
int sys_gettid(void);

/* kcmp(2) of this thread with itself; what first and second are depends on type. */
int sys_kcmp(int type, unsigned long first, unsigned long second);

/* KCMP_EPOLL_TFD: 0 when the open file of fd is registered in the set under that very number. */
int sys_kcmp_epoll(int epoll_fd, int fd);

/* Does another thread, of this process or not, share its memory (KCMP_VM) or its table of
 * descriptors (KCMP_FILES) with this one? false also where kcmp(2) is refused. */
bool sys_shares(int type, int other);

/* statx(2), whose structure is the same everywhere, of what the descriptor refers to; by fstat(2)
 * where it is refused, and then without times. Return: 0 or -errno. */
int sys_statx(int fd, int mask, struct statx *ret);

/* The inode of what the descriptor refers to, 0 if unknown. */
uint64_t sys_inode(int fd);

/* Waits for one descriptor; wait_ms in milliseconds, -1 for no limit, 0 only to look, which a
 * signal does not interrupt. Return: revents, 0 after wait_ms, -errno; -EMFILE where RLIMIT_NOFILE
 * is 0. */
int sys_poll(int fd, short events, int wait_ms);

/* poll(2) itself: how many of the entries have something in revents. */
int sys_poll_many(struct pollfd *entries, unsigned count, int wait_ms);

#endif
