/* SPDX-License-Identifier: MIT */
/*
 * test_seccomp.c - programs whose seccomp filter refuses calls, or kills for those that xbind(7)
 * does not list
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"
#include "support/thread.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>

static long forbidden;

/* bind fails with the error of the forbidden call, and the program keeps its own socket. */
static void bind_forbidden(void)
{
	int fd = pair_socket(SOCK_STREAM), set = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};
	struct stat before, after;

	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_TTL, 44), 0);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(fstat(fd, &before), 0);
	forbid(forbidden);
	CHECK_EQ(error_of(pair_bind(fd, 3001)), pair_preloaded() ? FORBIDDEN : 0);
	CHECK_EQ(fstat(fd, &after), 0);
	CHECK_EQ(after.st_ino, before.st_ino);
	CHECK_EQ(epoll_wait(set, &event, 1, 0), 1); /* EPOLLHUP */
	CHECK_EQ(pair_bind(fd, NOT_LISTED), pair_preloaded() ? 0 : -1);
}

#define IP_PROTOCOL_ 52 /* reads as the port since Linux 6.1, except on MPTCP */

static void bind_forbidden_portless(void)
{
	forbid_option_by(ENOPROTOOPT, IPPROTO_IP, IP_PROTOCOL_);
	bind_forbidden();
}

static void test_forbidden(void)
{
	const long calls[] = {SYS_socket,  SYS_connect,     SYS_sendto,     CALL_PPOLL,
	                      SYS_recvmsg, SYS_getsockname, SYS_getsockopt, CALL_FCNTL,
	                      SYS_dup3,    SYS_epoll_ctl};

	for (size_t i = 0; i < COUNT(calls); i++) {
		forbidden = calls[i];
		forbid_run(bind_forbidden);
	}
	forbidden = SYS_getsockname;
	forbid_run(bind_forbidden_portless);
}

/* Sets an option that can be read back, and one that cannot. */
static void set_two(int fd)
{
	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_TTL, 44), 0);
	CHECK_EQ(pair_join_group(fd, 0xef010203), 0);
}

/* A filter that kills the process at any call that xbind(7) does not list. */
static void test_bind_allowed(void)
{
	const long calls[] = {
	    SYS_bind,         SYS_socket,         SYS_connect,       SYS_sendto,
	    SYS_ppoll,        SYS_recvmsg,        SYS_getsockname,   SYS_getsockopt,
	    SYS_setsockopt,   SYS_fcntl,          SYS_dup3,          SYS_close,
	    SYS_shutdown,     SYS_statx,          SYS_gettid,        SYS_getpid,
	    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_epoll_create1, SYS_epoll_ctl,
	    SYS_epoll_pwait,  SYS_kcmp,           SYS_openat,        SYS_fstatfs,
	    SYS_read,         SYS_exit_group,     SYS_clock_gettime,
	};
	int fd = pair_socket(SOCK_DGRAM), copy = dup(fd), set = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};

	set_two(fd);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, copy, &event), 0);
	forbid_others(calls, COUNT(calls));
	CHECK_EQ(pair_bind(fd, 3001), 0);
}

static void test_bind_elsewhere_allowed(void)
{
	const long calls[] = {SYS_bind, SYS_rt_sigprocmask, SYS_exit_group};
	const int fd = pair_socket(SOCK_STREAM);

	forbid_others(calls, COUNT(calls));
	CHECK_EQ(pair_bind(fd, NOT_LISTED), 0);
}

static void test_chroot_allowed(void)
{
	const long calls[] = {
	    SYS_chroot,        SYS_socket,     SYS_connect,      SYS_sendto,
	    SYS_ppoll,         SYS_recvmsg,    SYS_getsockopt,   SYS_getsockname,
	    SYS_fcntl,         SYS_close,      SYS_geteuid,      SYS_gettid,
	    SYS_prlimit64,     SYS_exit_group, SYS_rt_sigaction, SYS_rt_sigprocmask,
	    SYS_clock_gettime,
	};

	forbid_others(calls, COUNT(calls));
	CHECK_EQ(chroot("/"), 0);
}

static void test_set_allowed(void)
{
	const long calls[] = {
	    SYS_setsockopt, SYS_socket,       SYS_close,          SYS_getsockopt, SYS_gettid,
	    SYS_getpid,     SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_exit_group, SYS_clock_gettime,
	};
	const int fd = pair_socket(SOCK_DGRAM);

	forbid_others(calls, COUNT(calls));
	set_two(fd);
}

/* A socket that has moved is recognised by its key alone. */
static void test_set_allowed_later(void)
{
	const long calls[] = {SYS_setsockopt, SYS_getsockopt, SYS_exit_group};
	const int fd = pair_socket(SOCK_DGRAM), on = 1;

	CHECK_EQ(pair_bind(fd, 3001), 0);
	forbid_others(calls, COUNT(calls));
	set_two(fd);
	/* Some kernels cannot read this one back on an MPTCP socket. */
	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)), 0);
}

/* The library takes part in every epoll set, whether a socket of the program will ever move or not.
 */
static void *make_epoll_allowed(void *unused)
{
	const long calls[] = {
	    SYS_epoll_create1, SYS_epoll_ctl, SYS_gettid, SYS_getpid, SYS_exit_group,
	};
	struct epoll_event event = {.events = EPOLLIN};
	const int fd = pair_socket(SOCK_DGRAM);
	int set;

	forbid_others(calls, COUNT(calls));
	set = epoll_create1(0);
	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		_exit(1);
	_exit(0);
	return unused;
}

static void test_epoll_allowed(void)
{
	thread_run(make_epoll_allowed, NULL);
}

static volatile sig_atomic_t trapped;

/* A SIGSYS handler that gives the result of a call that the filter traps. */
static void answer(int signal, siginfo_t *info, void *context)
{
	ucontext_t *state = context;
	const long result = -FORBIDDEN;

	(void)signal;
	(void)info;
	trapped = 1;
#if defined(__x86_64__)
	state->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__i386__)
	state->uc_mcontext.gregs[REG_EAX] = result;
#elif defined(__aarch64__)
	state->uc_mcontext.regs[0] = (unsigned long)result;
#else
	(void)state;
	(void)result;
#endif
}

/* SIGSYS must never be blocked: the kernel would kill the program at a trapped call. */
static void test_trap(void)
{
	const struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
	int fd = pair_socket(SOCK_STREAM), copy = dup(fd);

	CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
	forbid_by(SECCOMP_RET_TRAP, SYS_epoll_create1);
	CHECK_EQ(pair_bind(fd, 3001), 0);
	CHECK_EQ(trapped, pair_preloaded());
	CHECK_EQ(pair_port(copy), 3001);
}

/* The filter kills the program if it makes a socket. Setting an option of a bound one needs
 * none. */
static void test_set_without_socket(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, NOT_LISTED), 0);
	forbid_by(SECCOMP_RET_KILL_PROCESS, SYS_socket);
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 100), 0);
}

/* Defaults that a bind has read are not read again: servers set options on each connection. */
static void test_set_without_asking(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, 3000), 0);
	forbid_by(SECCOMP_RET_KILL_PROCESS, SYS_getsockopt);
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 100), 0);
}

/* Copies are found without statx(2) and fstat(2), and nothing else is. */
static void test_copies_without_stat(void)
{
	int fd = pair_socket(SOCK_STREAM), other = pair_socket(SOCK_STREAM), copy = dup(fd);

	forbid_stat();
	CHECK_EQ(pair_bind(fd, 3001), 0);
	CHECK_EQ(pair_port(copy), 3001);
	CHECK_EQ(pair_port(other), 0);
}

int main(void)
{
	RUN(test_forbidden);
	RUN_BY(forbid_run, test_bind_allowed);
	RUN_BY(forbid_run, test_bind_elsewhere_allowed);
	RUN_BY(forbid_run, test_chroot_allowed);
	RUN_BY(forbid_run, test_set_allowed);
	RUN_BY(forbid_run, test_set_allowed_later);
	RUN_BY(forbid_run, test_epoll_allowed);
	RUN_BY(forbid_run, test_trap);
	RUN_BY(forbid_run, test_set_without_socket);
	RUN_BY(forbid_run, test_set_without_asking);
	RUN_BY(forbid_run, test_copies_without_stat);
	return 0;
}
