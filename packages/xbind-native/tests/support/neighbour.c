/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - another preload library that wraps bind, before libxbind or after it
 *
 * With NEIGHBOUR_REENTERS in the environment its bind binds a socket of its own first. NEIGHBOUR_BY
 * says how it calls on: "syscall"; "libc", libc's own function; "version", the next function of
 * libc's version; or "child", as by a set-user-ID helper; else the next library's function. With
 * NEIGHBOUR_CLEARS its constructor, which runs before that of a library in front of it, clears the
 * environment. With NEIGHBOUR_SETS the first look into the environment adds a variable, as a thread
 * of another library might do at that moment.
 *
 * It also wraps secure_getenv, and clock_gettime and setsockopt, which it looks up in libc, and if
 * built with NEIGHBOUR_WIDE syscall and dlsym.
 */
#include "core/visibility.h"
#include "support/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OWN_PORT 3999

int neighbour_bind(int fd, const void *addr, socklen_t len) __asm__("bind");
int neighbour_calls(void);
int neighbour_exposed(void);
char **neighbour_environment(void);

static int calls;
static int exposed;
static char **environment;

__attribute__((constructor)) static void load(void)
{
	environment = environ;
	if (getenv("NEIGHBOUR_CLEARS"))
		environ = NULL; /* as clearenv(3) does */
}

/* That of the program's start, whether it has been cleared or not. */
EXPORT char **neighbour_environment(void)
{
	return environment;
}

EXPORT char *secure_getenv(const char *name)
{
	if (getenv("NEIGHBOUR_SETS") && !getenv("NEIGHBOUR_SET"))
		setenv("NEIGHBOUR_SET", "1", 0);
	return getenv(name);
}

static void bind_own(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(OWN_PORT)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (neighbour_bind(fd, &addr, sizeof(addr)) < 0)
		abort();
	close(fd);
}

static int bind_in_child(int fd, const void *addr, socklen_t len)
{
	const pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(syscall(SYS_bind, fd, addr, len) == 0 ? 0 : errno);
	waitpid(child, &status, 0);
	if (status == 0)
		return 0;
	errno = WEXITSTATUS(status);
	return -1;
}

static void *find_next(const char *way)
{
	if (way && strcmp(way, "libc") == 0)
		return libc_symbol("bind");
#ifdef LIBC_VERSION
	if (way && strcmp(way, "version") == 0)
		return dlvsym(RTLD_NEXT, "bind", LIBC_VERSION);
#endif
	return dlsym(RTLD_NEXT, "bind");
}

static int go_on(int fd, const void *addr, socklen_t len)
{
	const char *way = getenv("NEIGHBOUR_BY");
	int (*next)(int, const void *, socklen_t);

	if (way && strcmp(way, "syscall") == 0)
		return (int)syscall(SYS_bind, fd, addr, len);
	if (way && strcmp(way, "child") == 0)
		return bind_in_child(fd, addr, len);
	next = (int (*)(int, const void *, socklen_t))find_next(way);
	return next(fd, addr, len);
}

EXPORT int neighbour_bind(int fd, const void *addr, socklen_t len)
{
	static bool within;

	calls++;
	if (getenv("NEIGHBOUR_REENTERS") && !within) {
		within = true;
		bind_own();
		within = false;
	}
	exposed = fcntl(fd, F_GETFD) & FD_CLOEXEC ? -1 : fd;
	return go_on(fd, addr, len);
}

#ifndef __SANITIZE_ADDRESS__ /* whose malloc(3) reads the clock */
/* Looks it up in libc itself, not by RTLD_NEXT, as wrappers did when it was in a library of its
 * own. */
int neighbour_clock(clockid_t clock, struct timespec *ret) __asm__("clock_gettime");

EXPORT int neighbour_clock(clockid_t clock, struct timespec *ret)
{
	static int (*libcs)(clockid_t, struct timespec *);

	if (!libcs)
		libcs = (int (*)(clockid_t, struct timespec *))libc_symbol("clock_gettime");
	return libcs(clock, ret);
}
#endif

int neighbour_setsockopt(int fd, int level, int name, const void *value,
                         socklen_t len) __asm__("setsockopt");

EXPORT int neighbour_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int (*libcs)(int, int, int, const void *, socklen_t) =
	    (int (*)(int, int, int, const void *, socklen_t))libc_symbol("setsockopt");

	return libcs(fd, level, name, value, len);
}

/* The last socket that was to be bound, or -1 if it was close-on-exec. */
EXPORT int neighbour_exposed(void)
{
	return exposed;
}

EXPORT int neighbour_calls(void)
{
	return calls;
}

#ifdef NEIGHBOUR_WIDE
/* Passes SYS_bind to its own hook, and all else to libc. */
long neighbour_syscall(long number, long a, long b, long c, long d, long e,
                       long f) __asm__("syscall");

EXPORT long neighbour_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	long (*next)(long, ...) = (long (*)(long, ...))libc_symbol("syscall");

	if (number == SYS_bind)
		return neighbour_bind((int)a, (const void *)b, (socklen_t)c);
	return next(number, a, b, c, d, e, f);
}

static int lookups;
int neighbour_lookups(void);

EXPORT int neighbour_lookups(void)
{
	return lookups;
}

/* The simple way: for RTLD_NEXT this library is then the caller, not the real one. */
void *neighbour_dlsym(void *handle, const char *name) __asm__("dlsym");

EXPORT void *neighbour_dlsym(void *handle, const char *name)
{
	static void *(*next)(void *, const char *);
	void *volatile symbol; /* prevents a tail call, which would hide the caller */

	if (!next)
		next = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", LIBC_VERSION);
	lookups++;
	symbol = next(handle, name);
	return symbol;
}
#endif
