/* SPDX-License-Identifier: MIT */
/* hook_syscall.c - syscall(2) for bind, listen and epoll sets; all other numbers go on to libc's */
#include "core/sys.h"
#include "xbind/byway.h"
#include "xbind/hook.h"
#include "xbind/memory.h"
#include "xbind/real.h"

#include <errno.h>
#include <linux/net.h>
#include <sys/syscall.h>

/* Called by hook_syscall.S. Return: the function that takes the call, never NULL. */
real_syscall_function *syscall_find(long number);
#if HOOKS_DLSYM
real_syscall_function *byway_syscall_find(long number);
#endif

/* Each takes as many of the arguments as it knows to be there. */
static long enter_bind(long number, long fd, long addr, long len)
{
	(void)number;
	return byway_bind((int)fd, (const void *)addr, (socklen_t)len);
}

static long enter_listen(long number, long fd, long backlog)
{
	(void)number;
	return byway_listen((int)fd, (int)backlog);
}

/* Once the set is known, /proc tells what is registered there, by whatever call. */
static long enter_epoll_create1(long number, long flags)
{
	(void)number;
	return hook_result(follow_set(sys_epoll_create1((int)flags)));
}

#ifdef SYS_epoll_create
static long enter_epoll_create(long number, long size)
{
	return (int)size > 0 ? enter_epoll_create1(number, 0) : hook_result(-EINVAL);
}
#endif

static long enter_nothing(long number)
{
	(void)number;
	return hook_result(-ENOSYS);
}

#ifdef SYS_socketcall
/* The arguments lie in memory. If they cannot be read, the kernel is left to refuse the call. */
static long enter_socketcall(long number, long call, const void *at)
{
	real_syscall_function *next = real_syscall();
	long args[3];

	if (call == SYS_BIND && memory_read(args, at, 3 * sizeof(*args)) == 0)
		return enter_bind(SYS_bind, args[0], args[1], args[2]);
	if (call == SYS_LISTEN && memory_read(args, at, 2 * sizeof(*args)) == 0)
		return enter_listen(SYS_listen, args[0], args[1]);
	return next ? next(number, call, (long)at, 0, 0, 0, 0) : enter_nothing(number);
}
#endif

/* The kernel, too, takes the number as an int. */
static real_syscall_function *find(int number, real_syscall_function *(*find_next)(void))
{
	real_syscall_function *next;

	if (number == SYS_bind)
		return (real_syscall_function *)(void *)enter_bind;
	if (number == SYS_listen)
		return (real_syscall_function *)(void *)enter_listen;
	if (number == SYS_epoll_create1)
		return (real_syscall_function *)(void *)enter_epoll_create1;
#ifdef SYS_epoll_create
	if (number == SYS_epoll_create)
		return (real_syscall_function *)(void *)enter_epoll_create;
#endif
#ifdef SYS_socketcall
	if (number == SYS_socketcall)
		return (real_syscall_function *)(void *)enter_socketcall;
#endif
	next = find_next();
	return next ? next : (real_syscall_function *)(void *)enter_nothing;
}

real_syscall_function *syscall_find(long number)
{
	return find((int)number, real_syscall);
}

#if HOOKS_DLSYM
real_syscall_function *byway_syscall_find(long number)
{
	return find((int)number, real_syscall_of_libc);
}
#endif
