/* SPDX-License-Identifier: MIT */
/*
 * test_privilege.c - programs with fewer privileges than usual, and a set-user-ID program
 *
 * LIBRARY is the library, for a program that is loaded without LD_PRELOAD. Ports 1 to 3999 are
 * listed.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"
#include "support/thread.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define LOW_PORT      80
#define NOBODY        65534
#define COPY_OF_BYTES 65536

#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#endif

static const char *self;

/* The caller of bind needs the privilege for a low port, also in the target namespace. */
static void test_low_port(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK(pair_binds_there(fd, LOW_PORT));
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	child_drop_capabilities();
	CHECK_FAILS(pair_bind(fd, LOW_PORT), EACCES);
	CHECK_EQ(pair_port(fd), 0);
	CHECK(pair_binds_there(fd, 3000));
}

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

static void test_seccomp(void)
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

/* Binds as a user who may not open the control socket. */
static void bind_as_nobody(void)
{
	int fd = pair_socket(SOCK_STREAM), reference = pair_socket(SOCK_STREAM);

	CHECK_EQ(setuid(NOBODY), 0);
	CHECK_EQ(error_of(pair_bind(fd, 3007)), pair_preloaded() ? EACCES : 0);
	CHECK(pair_is_beside(fd, reference));
	CHECK_EQ(pair_bind(fd, NOT_LISTED), pair_preloaded() ? 0 : -1);
}

static void test_other_user(void)
{
	const char *control = getenv("XSOCKET");

	if (seteuid(NOBODY) < 0) /* fails in a user namespace with one user */
		return;
	CHECK_EQ(seteuid(0), 0);
	if (control)
		CHECK_EQ(chmod(control, 0600), 0);
	child_run(bind_as_nobody);
	if (control)
		CHECK_EQ(chmod(control, 0666), 0);
}

/* Landlock restricts the caller of bind, too. */
static void test_landlock(void)
{
	struct {
		uint64_t files, ports;
	} rules = {.ports = LANDLOCK_ACCESS_NET_BIND_TCP};
	int fd = pair_socket(SOCK_STREAM), datagram = pair_socket(SOCK_DGRAM);
	int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	if (set < 0)
		return; /* no Landlock, or an old one */
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_landlock_restrict_self, set, 0), 0);
	CHECK_FAILS(pair_bind(fd, 3002), EACCES);
	CHECK_EQ(pair_port(fd), 0);
	CHECK(pair_binds_there(datagram, 3003));
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[COPY_OF_BYTES];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t len;

	CHECK(in >= 0 && out >= 0);
	while ((len = read(in, bytes, sizeof(bytes))) > 0)
		CHECK_EQ(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
}

/* The part after exec: the library is not preloaded, but its bind is called. */
static void bind_loaded(bool secure)
{
	void *handle = dlopen(getenv("LIBRARY"), RTLD_NOW | RTLD_LOCAL);
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(getauxval(AT_SECURE) != 0, secure);
	CHECK(handle != NULL);
	CHECK_EQ(pair_bind_by(dlsym(handle, "bind"), fd, 3005), 0);
	CHECK_EQ(pair_is_there(fd), !secure);
	_exit(0); /* LeakSanitizer cannot inspect a set-user-ID program */
}

static void exec_copy(const char *copy, const char *copied, const char *what)
{
	const pid_t child = child_start();

	if (child == 0) {
		unsetenv("LD_PRELOAD");
		setenv("LIBRARY", copied, 1);
		execl(copy, copy, what, (char *)NULL);
		_exit(127);
	}
	child_await(child);
}

/* A set-user-ID program ignores its caller's environment. */
static void test_set_user_id(void)
{
	char dir[] = "/tmp/xsocket-setuid-XXXXXX", copy[sizeof(dir) + 8], copied[sizeof(dir) + 8];

	if (!pair_preloaded() || getenv("TEST_EMULATOR"))
		return;
#ifndef __GLIBC__ /* musl finds no libc function behind a library that dlopen(3) loaded */
	return;
#endif
	CHECK(mkdtemp(dir));
	CHECK_EQ(chmod(dir, 0755), 0);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	copy_file(self, copy);
	/* a copy that the other user may read: root's own directories may be closed to others */
	snprintf(copied, sizeof(copied), "%s/library", dir);
	copy_file(getenv("LIBRARY"), copied);
	exec_copy(copy, copied, "plain");
	/* fails in a user namespace with one user */
	if (chown(copy, NOBODY, NOBODY) == 0) {
		CHECK_EQ(chmod(copy, 04755), 0);
		exec_copy(copy, copied, "secure");
	}
	CHECK_EQ(unlink(copy), 0);
	CHECK_EQ(unlink(copied), 0);
	CHECK_EQ(rmdir(dir), 0);
}

/* Options that the program before exec has set. */
static const struct {
	int level, name, value;
} inherited[] = {
    {IPPROTO_IP, IP_TOS, 0x10}, /* sets the priority, too */
    {SOL_SOCKET, SO_PRIORITY, 3},       {SOL_SOCKET, SO_REUSEPORT, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},      {SOL_SOCKET, SO_RCVLOWAT, 9},
    {IPPROTO_IP, IP_TTL, 44},           {IPPROTO_IP, IP_FREEBIND, 1},
    {IPPROTO_TCP, TCP_NODELAY, 1},      {IPPROTO_TCP, TCP_KEEPIDLE, 99},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 3}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
};

static void bind_inherited(int fd)
{
	CHECK(pair_binds_there(fd, 3006));
	for (size_t i = 0; i < COUNT(inherited); i++)
		CHECK_EQ(pair_option(fd, inherited[i].level, inherited[i].name),
		         inherited[i].value);
	exit(0);
}

static void test_exec_with_options(void)
{
	int fd = pair_socket(SOCK_STREAM);
	char number[16];
	pid_t child;

	for (size_t i = 0; i < COUNT(inherited); i++)
		CHECK_EQ(pair_set(fd, inherited[i].level, inherited[i].name, inherited[i].value),
		         0);
	snprintf(number, sizeof(number), "%d", fd);
	child = child_start();
	if (child == 0)
		test_exec(self, "inherited", number);
	child_await(child);
	close(fd);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 2)
		bind_loaded(strcmp(argv[1], "secure") == 0);
	if (argc == 3)
		bind_inherited(atoi(argv[2]));
	RUN_BY(child_run, test_low_port);
	RUN(test_seccomp);
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
	RUN(test_other_user);
	RUN_BY(child_run, test_landlock);
	RUN(test_set_user_id);
	RUN(test_exec_with_options);
	return 0;
}
