/* SPDX-License-Identifier: MIT */
#include "xbind/real.h"

#include "core/glibc.h"
#include "xbind/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>

/* By their names. Only 32-bit glibc has __setsockopt64. */
/* clang-format off */
#define CALLS(CALL)                                                                                \
	CALL(bind) CALL(bindresvport) CALL(chroot) CALL(epoll_create) CALL(epoll_create1)          \
	CALL(epoll_ctl) CALL(listen) CALL(rresvport_af) CALL(setsockopt) CALL(__setsockopt64)      \
	CALL(shutdown) CALL(syscall)
/* clang-format on */

#define AS_NUMBER(name) REAL_##name,
enum real_call { CALLS(AS_NUMBER) REAL_CALLS };

#define AS_TEXT(name) #name,
static const char *const names[] = {CALLS(AS_TEXT)};

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
	dlerror(); /* the program must not see that one of them is missing */
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
		int(*call) parameters = (int(*) parameters)find(REAL_##name);                      \
		int saved = errno;                                                                 \
                                                                                                   \
		return call ? settle(call arguments, saved) : -ENOSYS;                             \
	}

REAL_FUNCTION(real_bind, bind, (int fd, const void *addr, socklen_t len), (fd, addr, len))
REAL_FUNCTION(real_bindresvport, bindresvport, (int fd, struct sockaddr_in *addr), (fd, addr))
REAL_FUNCTION(real_chroot, chroot, (const char *path), (path))
REAL_FUNCTION(real_epoll_create, epoll_create, (int size), (size))
REAL_FUNCTION(real_epoll_create1, epoll_create1, (int flags), (flags))
REAL_FUNCTION(real_epoll_ctl, epoll_ctl,
              (int set, int operation, int fd, struct epoll_event *event),
              (set, operation, fd, event))
REAL_FUNCTION(real_listen, listen, (int fd, int backlog), (fd, backlog))
REAL_FUNCTION(real_rresvport_af, rresvport_af, (int *port, sa_family_t family), (port, family))
REAL_FUNCTION(real_setsockopt, setsockopt,
              (int fd, int level, int name, const void *value, socklen_t len),
              (fd, level, name, value, len))
REAL_FUNCTION(real_setsockopt64, __setsockopt64,
              (int fd, int level, int name, const void *value, socklen_t len),
              (fd, level, name, value, len))
REAL_FUNCTION(real_shutdown, shutdown, (int fd, int how), (fd, how))

real_syscall_function *real_syscall(void)
{
	return (real_syscall_function *)find(REAL_syscall);
}

real_syscall_function *real_syscall_of_libc(void)
{
#if HOOKS_DLSYM
	static _Atomic(void *) of_libc;

	if (!of_libc)
		of_libc = libc_function("syscall");
	return (real_syscall_function *)of_libc;
#else
	return real_syscall();
#endif
}
