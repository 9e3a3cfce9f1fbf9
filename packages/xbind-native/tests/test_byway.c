/* SPDX-License-Identifier: MIT */
/*
 * test_byway.c - calls that bypass the hooks: by syscall(2), or by functions looked up in libc
 *
 * Ports 3000 to 3999 are listed, or every port.
 */
#include "support/pair.h"

#include <fcntl.h>
#include <linux/net.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#ifdef SYS_mmap2
#define MAP_CALL SYS_mmap2 /* SYS_mmap takes a pointer to its arguments there */
#else
#define MAP_CALL SYS_mmap
#endif

typedef int bind_function(int fd, const void *addr, socklen_t len);
typedef int listen_function(int fd, int backlog);

typedef long syscall_function(long number, ...);
typedef int epoll_create_function(int size_or_flags);
typedef int epoll_ctl_function(int set, int operation, int fd, struct epoll_event *event);
typedef int setsockopt_function(int fd, int level, int name, const void *value, socklen_t len);
typedef int rresvport_function(int *port);

/* By which syscall(2) the calls below are made. */
static syscall_function *by_syscall = syscall;

/* The upper half of the number may hold anything where a caller declares it as an int. */
static long upper_half;

static bool all_listed(void)
{
	return pair_preloaded() && strcmp(getenv("XBIND"), "*") == 0;
}

static int call_bind(int fd, const void *addr, socklen_t len)
{
	return (int)by_syscall(SYS_bind | upper_half, fd, addr, len);
}

static int call_listen(int fd, int backlog)
{
	return (int)by_syscall(SYS_listen | upper_half, fd, backlog);
}

static int call_epoll_create1(int flags)
{
	return (int)syscall(SYS_epoll_create1, flags);
}

#ifdef SYS_epoll_create
static int call_epoll_create(int size)
{
	return (int)syscall(SYS_epoll_create, size);
}
#endif

static int call_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

/* Is libc's own function hooked as well when the program looks it up? */
static bool follows_libc(void)
{
	return HOOKS_DLSYM || !pair_preloaded();
}

static void check_bind(bind_function *by, bool moves)
{
	struct sockaddr_in addr = pair_addr(3000);
	int fd = pair_socket(SOCK_STREAM);

	CHECK_FAILS(by(fd, &addr, sizeof(addr) - 1), EINVAL);
	errno = 77;
	CHECK_EQ(by(fd, &addr, sizeof(addr)), 0);
	CHECK_EQ(errno, 77);
	CHECK_EQ(pair_port(fd), 3000);
	CHECK(!moves || pair_is_there(fd));
	CHECK_FAILS(by(fd, &addr, sizeof(addr)), EINVAL);
	CHECK_FAILS(by(fd, NULL, sizeof(addr)), EFAULT);
	CHECK_FAILS(by(-1, &addr, sizeof(addr)), EBADF);
	close(fd);
}

static void check_unlisted(bind_function *by)
{
	struct sockaddr_in addr = pair_addr(4000);
	int fd = pair_socket(SOCK_DGRAM), plain = pair_socket(SOCK_DGRAM);

	CHECK_EQ(by(fd, &addr, sizeof(addr)), 0);
	CHECK(all_listed() || pair_is_beside(fd, plain));
	close(plain);
	close(fd);
}

static void check_listen(listen_function *by)
{
	int fd = pair_socket(SOCK_STREAM);

	errno = 77;
	CHECK_EQ(by(fd, 5), 0);
	CHECK_EQ(errno, 77);
	CHECK(pair_port(fd) > 0);
	CHECK(!all_listed() || pair_is_there(fd));
	CHECK_EQ(by(fd, 10), 0);
	CHECK_FAILS(by(-1, 5), EBADF);
	close(fd);
}

/* Return: the set, still open: closing it would make the next bind search for other sets. */
static int check_epoll(epoll_create_function *create, int size_or_flags,
                       epoll_ctl_function *control)
{
	struct epoll_event event = {.events = EPOLLIN};
	int set = create(size_or_flags), fd = pair_socket(SOCK_STREAM);

	CHECK(set >= 0);
	CHECK_EQ(fcntl(set, F_GETFD), size_or_flags & EPOLL_CLOEXEC ? FD_CLOEXEC : 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK(pair_binds_there(fd, 3000));
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, &event), 0);
	close(fd);
	return set;
}

static void test_syscall(void)
{
	int set;

	check_bind(call_bind, true);
	check_unlisted(call_bind);
	check_listen(call_listen);
	CHECK_FAILS(syscall(SYS_epoll_create1, 1), EINVAL);
	set = check_epoll(call_epoll_create1, EPOLL_CLOEXEC, call_epoll_ctl);
#ifdef SYS_epoll_create
	CHECK_FAILS(syscall(SYS_epoll_create, 0), EINVAL);
	close(check_epoll(call_epoll_create, 1, call_epoll_ctl));
#endif
	close(set);
}

#if __SIZEOF_LONG__ == 8
static void test_wide_numbers(void)
{
	const long wide = 1L << 32;

	if (syscall(SYS_getpid | wide) != getpid())
		return; /* this kernel looks at the upper half, as x86 before Linux 5.14 */
	upper_half = wide;
	check_bind(call_bind, true);
	check_listen(call_listen);
	upper_half = 0;
}
#endif

#ifdef SYS_socketcall
static int call_socketcall(long call, long first, long second, long third)
{
	const long args[] = {first, second, third};

	return (int)syscall(SYS_socketcall, call, args);
}

static int call_socketcall_bind(int fd, const void *addr, socklen_t len)
{
	return call_socketcall(SYS_BIND, fd, (long)addr, (long)len);
}

static int call_socketcall_listen(int fd, int backlog)
{
	return call_socketcall(SYS_LISTEN, fd, backlog, 0);
}

/* socketcall(2) reads only as many arguments as the call takes. */
static void check_arguments(void)
{
	enum { PAGE = 4096 };
	char *page = (char *)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
	                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long *last = (long *)(page + PAGE) - 2;
	int fd = pair_socket(SOCK_STREAM);

	CHECK(page != MAP_FAILED);
	CHECK_EQ(mprotect(page + PAGE, PAGE, PROT_NONE), 0);
	last[0] = fd;
	last[1] = 5;
	CHECK_FAILS(syscall(SYS_socketcall, SYS_BIND, NULL), EFAULT);
	CHECK_FAILS(syscall(SYS_socketcall, SYS_BIND, last), EFAULT);
	CHECK_FAILS(syscall(SYS_socketcall, SYS_LISTEN, last + 1), EFAULT);
	CHECK_FAILS(syscall(SYS_socketcall, 0, last), EINVAL);
	CHECK_FAILS(syscall(SYS_socketcall, SYS_SHUTDOWN, last), EINVAL);
	CHECK_FAILS(call_socketcall(SYS_SHUTDOWN, fd, SHUT_RD, 0), ENOTCONN);
	CHECK_EQ(syscall(SYS_socketcall, SYS_LISTEN, last), 0);
	CHECK(!all_listed() || pair_is_there(fd));
	close(fd);
	fd = call_socketcall(SYS_SOCKET, AF_INET, SOCK_DGRAM, 0);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(munmap(page, 2 * PAGE), 0);
}

static void test_socketcall(void)
{
	check_bind(call_socketcall_bind, true);
	check_unlisted(call_socketcall_bind);
	check_listen(call_socketcall_listen);
	check_arguments();
}
#else
/* This processor does not have socketcall(2). */
static void test_socketcall(void)
{
}
#endif

/* All other system calls pass through: arguments, results, errors, calls that return twice. */
static void test_other_calls(void)
{
	char *memory =
	    (char *)syscall(MAP_CALL, NULL, 4096, PROT_READ | PROT_WRITE, /* six arguments */
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
	long child;
	int status;

	CHECK(memory != MAP_FAILED);
	memory[4095] = 1;
	CHECK_EQ(munmap(memory, 4096), 0);
	errno = 77;
	CHECK_EQ(syscall(SYS_getpid), getpid());
	CHECK_EQ(errno, 77);
	CHECK_FAILS(syscall(SYS_close, -1), EBADF);
	CHECK_FAILS(syscall(-1L), ENOSYS);
	child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		_exit(7);
	CHECK_EQ(waitpid((pid_t)child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* Where syscall(2) takes its last arguments from the stack, a call with fewer arguments has data of
 * its caller there. Writing to it, even the same value, could undo a change by another thread. */
static void test_stack_of_caller(void)
{
#ifdef __x86_64__
	enum { STACK_BYTES = 65536, GUARD_BYTES = 4096 };
	char *stack = (char *)mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *top = stack + STACK_BYTES;
	long number = SYS_getppid;

	CHECK(stack != MAP_FAILED);
	CHECK_EQ(mprotect(top, GUARD_BYTES, PROT_READ), 0);
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
	                 "movq %[top], %%rsp\n\t"
	                 "movq %%rax, %%rdi\n\t"
	                 "call *%[function]\n\t"
	                 "movq %%rbx, %%rsp"
	                 : "+a"(number)
	                 : [top] "r"(top), [function] "r"(syscall)
	                 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc",
	                   "memory");
	CHECK_EQ(number, getppid());
	CHECK_EQ(munmap(stack, STACK_BYTES + GUARD_BYTES), 0);
#endif
}

static void test_found_in_libc(void)
{
	bind_function *found_bind = (bind_function *)libc_symbol("bind");

	check_bind(found_bind, follows_libc());
	check_unlisted(found_bind);
	if (follows_libc())
		check_listen((listen_function *)libc_symbol("listen"));
}

static void check_syscall_found(void *found)
{
	by_syscall = (syscall_function *)found;
	check_bind(call_bind, follows_libc());
	check_unlisted(call_bind);
	if (follows_libc())
		check_listen(call_listen);
	errno = 77;
	CHECK_EQ(by_syscall(SYS_getpid), getpid());
	CHECK_EQ(errno, 77);
	CHECK_FAILS(by_syscall(SYS_close, -1), EBADF);
	by_syscall = syscall;
}

static void test_syscall_found_in_libc(void)
{
	check_syscall_found(libc_symbol("syscall"));
}

static void check_setsockopt_found(setsockopt_function *set)
{
	const struct ip_mreqn group = {
	    .imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP + 8),
	    .imr_ifindex = 1,
	};
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	CHECK(pair_binds_there(fd, 3000));
	CHECK_FAILS(pair_join_group(fd, INADDR_ALLHOSTS_GROUP + 8), EADDRINUSE);
	close(fd);
}

/* Options and registrations made by libc's own functions are recorded as well, unless another
 * library after ours has these functions: TWICE is set where that is a second copy of ours. */
static void test_others_found_in_libc(void)
{
	int made, unseen;

	if (!follows_libc() || getenv("TWICE"))
		return;
	made = check_epoll((epoll_create_function *)libc_symbol("epoll_create1"), EPOLL_CLOEXEC,
	                   call_epoll_ctl);
	unseen = check_epoll((epoll_create_function *)libc_unfollowed("epoll_create1"),
	                     EPOLL_CLOEXEC, (epoll_ctl_function *)libc_symbol("epoll_ctl"));
	close(unseen);
	close(made);
	check_setsockopt_found((setsockopt_function *)libc_symbol("setsockopt"));
#ifdef LIBC_VERSION
	check_setsockopt_found(
	    (setsockopt_function *)dlvsym(RTLD_NEXT, "setsockopt", LIBC_VERSION));
#endif
}

/* Reserved ports that libc itself chooses count as listed where all ports are. */
static void test_reserved_found_in_libc(void)
{
#ifdef __GLIBC__
	rresvport_function *found = (rresvport_function *)libc_symbol("rresvport");
	int port = IPPORT_RESERVED - 1, fd = found(&port);

	CHECK(fd >= 0 && pair_port(fd) == port);
	CHECK(!all_listed() || !follows_libc() || pair_is_there(fd));
	close(fd);
#endif
}

/* A search for libc's version passes over every preloaded library, also those after the caller. */
static void test_found_by_version(void)
{
#ifdef LIBC_VERSION
	void *const handles[] = {dlopen(LIBC_SO, RTLD_NOW), RTLD_DEFAULT, RTLD_NEXT};

	for (size_t i = 0; i < COUNT(handles); i++) {
		bind_function *found_bind =
		    (bind_function *)dlvsym(handles[i], "bind", LIBC_VERSION);

		check_bind(found_bind, follows_libc());
		check_unlisted(found_bind);
		check_syscall_found(dlvsym(handles[i], "syscall", LIBC_VERSION));
		if (follows_libc())
			check_listen((listen_function *)dlvsym(handles[i], "listen", LIBC_VERSION));
	}
#endif
}

/* All other searches have their usual results. */
static void test_other_searches(void)
{
	CHECK(dlsym(RTLD_DEFAULT, "bind") == (void *)bind);
	CHECK(dlsym(RTLD_NEXT, "bind") != NULL);
	CHECK(dlsym(RTLD_DEFAULT, "no_such_function") == NULL);
	CHECK(dlerror() != NULL && dlerror() == NULL);
	CHECK(libc_symbol("getpid") == dlsym(RTLD_DEFAULT, "getpid"));
	CHECK(dlsym(dlopen(NULL, RTLD_NOW), "bind") == (void *)bind);
#if HOOKS_DLSYM /* a library that wraps one of these must not get our function as libc's */
	CHECK(!pair_preloaded() || libc_symbol("dlsym") != (void *)dlsym);
	CHECK(!pair_preloaded() || libc_symbol("dlvsym") != (void *)dlvsym);
#endif
#ifdef LIBC_VERSION
	CHECK(dlvsym(RTLD_DEFAULT, "getpid", LIBC_VERSION) == dlsym(RTLD_DEFAULT, "getpid"));
	CHECK(dlvsym(RTLD_NEXT, "getpid", LIBC_VERSION) == dlsym(RTLD_DEFAULT, "getpid"));
	CHECK(dlvsym(RTLD_NEXT, "main", LIBC_VERSION) == NULL);
	CHECK(dlerror() != NULL && dlerror() == NULL);
	CHECK(dlvsym(RTLD_DEFAULT, "bind", "NO_SUCH_VERSION") == NULL);
	CHECK(strstr(dlerror(), "NO_SUCH_VERSION") && dlerror() == NULL);
#endif
}

int main(void)
{
	RUN(test_syscall);
#if __SIZEOF_LONG__ == 8
	RUN(test_wide_numbers);
#endif
	RUN(test_socketcall);
	RUN(test_other_calls);
	RUN(test_stack_of_caller);
	RUN(test_found_in_libc);
	RUN(test_syscall_found_in_libc);
	RUN(test_others_found_in_libc);
	RUN(test_reserved_found_in_libc);
	RUN(test_found_by_version);
	RUN(test_other_searches);
	return 0;
}
