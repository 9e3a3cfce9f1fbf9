/* SPDX-License-Identifier: MIT */
#include "xbind/real.h"

#include "core/glibc.h"
#include "xbind/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>

enum real_call {
	REAL_BIND,
	REAL_BINDRESVPORT,
	REAL_CHROOT,
	REAL_EPOLL_CREATE,
	REAL_EPOLL_CREATE1,
	REAL_EPOLL_CTL,
	REAL_LISTEN,
	REAL_RRESVPORT_AF,
	REAL_SETSOCKOPT,
	REAL_SETSOCKOPT64, /* glibc of 32 bits has it */
	REAL_SHUTDOWN,
	REAL_SYSCALL,
	REAL_CALLS,
};

static const char *const names[] = {
    [REAL_BIND] = "bind",
    [REAL_BINDRESVPORT] = "bindresvport",
    [REAL_CHROOT] = "chroot",
    [REAL_EPOLL_CREATE] = "epoll_create",
    [REAL_EPOLL_CREATE1] = "epoll_create1",
    [REAL_EPOLL_CTL] = "epoll_ctl",
    [REAL_LISTEN] = "listen",
    [REAL_RRESVPORT_AF] = "rresvport_af",
    [REAL_SETSOCKOPT] = "setsockopt",
    [REAL_SETSOCKOPT64] = "__setsockopt64",
    [REAL_SHUTDOWN] = "shutdown",
    [REAL_SYSCALL] = "syscall",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == REAL_CALLS, "each call has its name");

static _Atomic(void *) found[REAL_CALLS];

static void *find_next(const char *name)
{
#if HOOKS_DLSYM
	return libc_dlsym(RTLD_NEXT, name);
#else
	return dlsym(RTLD_NEXT, name);
#endif
}

/* Looked up at the first use. Return: the next definition, NULL where there is none. */
static void *find(enum real_call call)
{
	void *symbol = atomic_load_explicit(&found[call], memory_order_acquire);

	if (symbol)
		return symbol;
	symbol = find_next(names[call]);
	atomic_store_explicit(&found[call], symbol, memory_order_release);
	return symbol;
}

void real_load(void)
{
	for (int call = 0; call < REAL_CALLS; call++)
		find((enum real_call)call);
	real_syscall_of_libc();
	dlerror(); /* that a libc lacks one of them is not what the program asks it for */
}

/* Turns what a libc function returned into a value or -errno. */
static int settle(int rc, int saved)
{
	if (rc < 0)
		rc = errno ? -errno : -EIO;
	errno = saved;
	return rc;
}

int real_bind(int fd, const void *addr, socklen_t len)
{
	int (*call)(int, const void *, socklen_t) =
	    (int (*)(int, const void *, socklen_t))find(REAL_BIND);
	int saved = errno;

	return call ? settle(call(fd, addr, len), saved) : -ENOSYS;
}

int real_bindresvport(int fd, struct sockaddr_in *addr)
{
	int (*call)(int, struct sockaddr_in *) =
	    (int (*)(int, struct sockaddr_in *))find(REAL_BINDRESVPORT);
	int saved = errno;

	return call ? settle(call(fd, addr), saved) : -ENOSYS;
}

int real_chroot(const char *path)
{
	int (*call)(const char *) = (int (*)(const char *))find(REAL_CHROOT);
	int saved = errno;

	return call ? settle(call(path), saved) : -ENOSYS;
}

int real_epoll_create(int size)
{
	int (*call)(int) = (int (*)(int))find(REAL_EPOLL_CREATE);
	int saved = errno;

	return call ? settle(call(size), saved) : -ENOSYS;
}

int real_epoll_create1(int flags)
{
	int (*call)(int) = (int (*)(int))find(REAL_EPOLL_CREATE1);
	int saved = errno;

	return call ? settle(call(flags), saved) : -ENOSYS;
}

int real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	int (*call)(int, int, int, struct epoll_event *) =
	    (int (*)(int, int, int, struct epoll_event *))find(REAL_EPOLL_CTL);
	int saved = errno;

	return call ? settle(call(set, operation, fd, event), saved) : -ENOSYS;
}

int real_listen(int fd, int backlog)
{
	int (*call)(int, int) = (int (*)(int, int))find(REAL_LISTEN);
	int saved = errno;

	return call ? settle(call(fd, backlog), saved) : -ENOSYS;
}

int real_rresvport_af(int *port, sa_family_t family)
{
	int (*call)(int *, sa_family_t) = (int (*)(int *, sa_family_t))find(REAL_RRESVPORT_AF);
	int saved = errno;

	return call ? settle(call(port, family), saved) : -ENOSYS;
}

static int set_option(enum real_call call, int fd, int level, int name, const void *value,
                      socklen_t len)
{
	int (*next)(int, int, int, const void *, socklen_t) =
	    (int (*)(int, int, int, const void *, socklen_t))find(call);
	int saved = errno;

	return next ? settle(next(fd, level, name, value, len), saved) : -ENOSYS;
}

int real_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return set_option(REAL_SETSOCKOPT, fd, level, name, value, len);
}

int real_setsockopt64(int fd, int level, int name, const void *value, socklen_t len)
{
	return set_option(REAL_SETSOCKOPT64, fd, level, name, value, len);
}

int real_shutdown(int fd, int how)
{
	int (*call)(int, int) = (int (*)(int, int))find(REAL_SHUTDOWN);
	int saved = errno;

	return call ? settle(call(fd, how), saved) : -ENOSYS;
}

real_syscall_function *real_syscall(void)
{
	return (real_syscall_function *)find(REAL_SYSCALL);
}

real_syscall_function *real_syscall_of_libc(void)
{
#if HOOKS_DLSYM
	static _Atomic(void *) of_libc;

	if (!of_libc)
		of_libc = libc_function(names[REAL_SYSCALL]);
	if (of_libc)
		return (real_syscall_function *)of_libc;
#endif
	return real_syscall();
}
