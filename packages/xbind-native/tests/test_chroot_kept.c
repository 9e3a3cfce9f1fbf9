/* SPDX-License-Identifier: MIT */
/* test_chroot_kept.c - the descriptor that the library keeps across chroot(2) */
#include "support/jail.h"
#include "support/limit.h"
#include "support/watched.h"

#include <setjmp.h>
#include <signal.h>

#define LIMIT     64    /* descriptors */
#define ANSWER_MS 300   /* milliseconds until each reply of the server but its first */
#define HELD_MS   30000 /* milliseconds; longer than XSOCKET_TIMEOUT_MS */
#define LATE_PORT 3900

/* The kept descriptor is close-on-exec, has a high number, and is not a directory. */
static void test_kept(void)
{
	int before = strangers();
	struct stat status;

	enter_jail();
	CHECK_EQ(strangers() - before, pair_preloaded());
	if (!pair_preloaded())
		return;
	CHECK_EQ(fcntl(kept(), F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fstat(kept(), &status), 0);
	CHECK(S_ISSOCK(status.st_mode));
}

/* The program replaces every descriptor that it does not know by files of its own. */
static void test_closed(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), before;

	enter_jail();
	for (int fd = 3; fd < 2000; fd++) {
		if (fd != null && fcntl(fd, F_GETFD) >= 0)
			CHECK_EQ(dup2(null, fd), fd);
	}
	CHECK_EQ(bind_listed(), pair_preloaded() ? ENOENT : 0);
	CHECK_EQ(bind_listed(), pair_preloaded() ? ENOENT : 0);
	before = strangers();
	CHECK_EQ(chroot("/"), 0); /* looks for the kept descriptor */
	CHECK_EQ(strangers(), before);
	for (int fd = 3; fd < 2000; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			CHECK_EQ(write(fd, "x", 1), 1);
	}
}

/* Under a low limit of descriptors it is in the upper half. */
static void test_low_limit(void)
{
	int found = 0;

	limit_fds(LIMIT);
	enter_jail();
	for (int fd = LIMIT / 2; fd < LIMIT; fd++)
		found += fcntl(fd, F_GETFD) == FD_CLOEXEC;
	CHECK_EQ(found, pair_preloaded());
	CHECK_EQ(bind_listed(), 0);
}

/* Where that half is full it is kept below. */
static void test_full(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	limit_fds(LIMIT);
	for (int fd = LIMIT / 2; fd < LIMIT; fd++)
		CHECK_EQ(dup2(null, fd), fd);
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
}

/* Where the kernel does not identify sockets, none is kept: it could not be recognised later. */
static void test_unknown(void)
{
	int before = strangers();

	forbid_option(SOL_SOCKET, SO_COOKIE);
	CHECK_EQ(chroot("/"), 0);
	CHECK_EQ(strangers(), before);
}

/* No connection is kept to a server that has not given a valid reply. */
static void test_mode(void)
{
	int before = strangers();

	CHECK_EQ(chroot("/"), 0);
	CHECK_EQ(strangers() - before, atoi(getenv("KEPT")));
}

/* A connection whose server has stopped answering, or answers wrongly, is not used again, by other
 * processes neither: a late reply would be taken for the next one. */
static void test_later(void)
{
	int before = strangers(), go[2];
	char byte;
	pid_t child;

	enter_jail();
	CHECK_EQ(pipe(go), 0);
	child = child_start();
	if (child == 0) {
		close(go[1]); /* so that read(2) sees the end of the pipe if the test fails */
		CHECK_EQ(read(go[0], &byte, 1), 1);
		CHECK_EQ(bind_listed(), ENOENT);
		_exit(0);
	}
	CHECK_EQ(bind_listed(), atoi(getenv("LATER")));
	CHECK_EQ(strangers() - before, 2); /* the pipe */
	CHECK_EQ(bind_listed(), ENOENT);
	CHECK_EQ(write(go[1], "", 1), 1);
	child_await(child);
}

/* Another process holds the lock on the connection for longer than a bind may take. */
static void test_held(void)
{
	pid_t holder;

	enter_jail();
	holder = start_holder(HELD_MS);
	CHECK_EQ(bind_listed(), ETIMEDOUT);
	CHECK_EQ(kill(holder, SIGKILL), 0);
	CHECK_EQ(waitpid(holder, NULL, 0), holder);
	CHECK_EQ(bind_listed(), 0);
}

static void bind_slowly(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, LATE_PORT), 0);
	close(fd);
}

static void bind_late(void)
{
	CHECK_EQ(bind_listed(), ETIMEDOUT);
}

/* A thread whose deadline passes before its turn comes makes no request, and others still can. The
 * thread before it is stopped once it has its reply. */
static void test_late(void)
{
	enter_jail();
	run_watched(bind_slowly, CALL_FCNTL, F_GETFL, bind_late);
	CHECK_EQ(bind_listed(), 0);
}

/* Another thread is about to make a connection of its own, since none is kept yet. */
static void test_entered_beside(void)
{
	run_watched(bind_slowly, SYS_socket, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	            enter_jail);
}

/* A child that another thread forks must not inherit the socket that the server has sent. */
static void fork_beside(void)
{
	const int open = strangers();
	pid_t child = child_start();

	if (child == 0)
		syscall(SYS_exit_group, strangers() != open - 1); /* TSan reports lost threads */
	child_await(child);
}

/* The binding thread is stopped while it reads the old socket's options. */
static void test_forked_beside(void)
{
	enter_jail();
	run_watched(bind_slowly, SYS_getsockopt, IPPROTO_TCP, fork_beside);
}

/* The reply to a request of nobody here, as after a child was killed, comes late, and ours as much
 * later. */
static void test_slow(void)
{
	static const char request[] = "XS01\0\0\0\x02\0\0\0\x02\0\0\0"; /* and a NUL */

	enter_jail();
	CHECK_EQ(send(kept(), request, sizeof(request), 0), sizeof(request));
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(bind_listed(), 0);
}

static pthread_t bound;

static void *interrupt(void *unused)
{
	poll(NULL, 0, ANSWER_MS / 3);
	CHECK_EQ(pthread_kill(bound, SIGUSR1), 0);
	return unused;
}

static sigjmp_buf before_bind;
static volatile sig_atomic_t is_binding, handler_error;

/* A signal interrupts a bind in the jail that waits for its reply. */
static void bind_interrupted(void (*handler)(int))
{
	pthread_t thread;

	enter_jail();
	bound = pthread_self();
	handler_error = -1;
	CHECK(signal(SIGUSR1, handler) != SIG_ERR);
	CHECK_EQ(pthread_create(&thread, NULL, interrupt, NULL), 0);
	is_binding = 1;
	if (sigsetjmp(before_bind, 1) == 0)
		CHECK_EQ(bind_listed(), 0);
	is_binding = 0;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(handler_error, 0);
	CHECK_EQ(bind_listed(), 0);
}

static void bind_in_handler(int number)
{
	(void)number;
	handler_error = bind_listed();
}

static void bind_in_child(int number)
{
	int status = -1;
	pid_t child = fork();

	(void)number;
	if (child == 0)
		syscall(SYS_exit_group, bind_listed()); /* TSan reports lost threads */
	waitpid(child, &status, 0);
	handler_error = status;
}

static void leave_bind(int number)
{
	(void)number;
	handler_error = 0;
	if (is_binding)
		siglongjmp(before_bind, 1);
}

static void test_handler_binds(void)
{
	bind_interrupted(bind_in_handler);
}

/* The handler forks a child that binds, and waits for it. */
static void test_handler_forks(void)
{
	bind_interrupted(bind_in_child);
}

static void test_handler_leaves(void)
{
	bind_interrupted(leave_bind);
}

int main(void)
{
	if (getenv("KEPT")) {
		RUN_BY(run_jailed, test_mode);
		return 0;
	}
	jail_make();
	if (getenv("LATER")) {
		RUN_BY(run_jailed, test_later);
	} else if (getenv("SLOW")) {
		RUN_BY(run_jailed, test_slow);
		RUN_BY(run_jailed, test_handler_binds);
		RUN_BY(run_jailed, test_handler_forks);
		RUN_BY(run_jailed, test_handler_leaves);
	} else if (getenv("HELD")) {
		RUN_BY(run_jailed, test_held);
	} else if (getenv("LATE")) {
		RUN_BY(run_jailed, test_late);
		RUN_BY(run_jailed, test_forked_beside);
	} else {
		RUN_BY(run_jailed, test_kept);
		RUN_BY(run_jailed, test_closed);
		if (forbid_works()) {
			RUN_BY(run_jailed, test_unknown);
			RUN_BY(run_jailed, test_entered_beside);
		}
		RUN_BY(run_jailed, test_low_limit);
		RUN_BY(run_jailed, test_full);
	}
	CHECK_EQ(rmdir(jail), 0);
	return 0;
}
