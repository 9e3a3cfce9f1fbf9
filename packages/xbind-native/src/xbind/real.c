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

/* Defines a function of real.h. The parameters and arguments are lists in brackets. */
#define REAL_FUNCTION(function, name, parameters, arguments)                                       \
	int function parameters                                                                    \
	{                                                                                          \
		int(*call) parameters = (int(*) parameters)find(name);                             \
		int saved = errno;                                                                 \
                                                                                                   \
		return call ? settle(call arguments, saved) : -ENOSYS;                             \
	}

REAL_FUNCTION(real_bind, REAL_BIND, (int fd, const void *addr, socklen_t len), (fd, addr, len))
REAL_FUNCTION(real_bindresvport, REAL_BINDRESVPORT, (int fd, struct sockaddr_in *addr), (fd, addr))
REAL_FUNCTION(real_chroot, REAL_CHROOT, (const char *path), (path))
REAL_FUNCTION(real_epoll_create, REAL_EPOLL_CREATE, (int size), (size))
REAL_FUNCTION(real_epoll_create1, REAL_EPOLL_CREATE1, (int flags), (flags))
REAL_FUNCTION(real_epoll_ctl, REAL_EPOLL_CTL,
              (int set, int operation, int fd, struct epoll_event *event),
              (set, operation, fd, event))
REAL_FUNCTION(real_listen, REAL_LISTEN, (int fd, int backlog), (fd, backlog))
REAL_FUNCTION(real_rresvport_af, REAL_RRESVPORT_AF, (int *port, sa_family_t family), (port, family))
REAL_FUNCTION(real_setsockopt, REAL_SETSOCKOPT,
              (int fd, int level, int name, const void *value, socklen_t len),
              (fd, level, name, value, len))
REAL_FUNCTION(real_setsockopt64, REAL_SETSOCKOPT64,
              (int fd, int level, int name, const void *value, socklen_t len),
              (fd, level, name, value, len))
REAL_FUNCTION(real_shutdown, REAL_SHUTDOWN, (int fd, int how), (fd, how))

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
