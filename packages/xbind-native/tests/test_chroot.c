/* SPDX-License-Identifier: MIT */
/* test_chroot.c - a daemon that changes its root before it binds */
#include "support/jail.h"
#include "support/limit.h"
#include "support/thread.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* Several sockets are bound in the jail, and again after a second chroot, which fails at first. */
static void test_jail(void)
{
	int before = strangers();

	enter_jail();
	for (int i = 0; i < 5; i++)
		CHECK_EQ(bind_listed(), 0);
	CHECK_FAILS(chroot("/inner"), ENOENT);
	CHECK_EQ(mkdir("/inner", 0700), 0);
	CHECK_EQ(chroot("/inner"), 0);
	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(strangers() - before, pair_preloaded());
}

/* Binds sockets of two kinds, so that a reply meant for another process or thread would be noticed.
 */
static void *bind_often(void *number)
{
	for (uintptr_t i = 0; i < 20; i++) {
		int fd = pair_socket((i + (uintptr_t)number) % 2 ? SOCK_DGRAM : SOCK_STREAM);

		CHECK(pair_binds_there(fd, (uint16_t)(3300 + 20 * (uintptr_t)number + i)));
		close(fd);
	}
	return NULL;
}

/* Forked processes share the connection, and take turns. */
static void test_forked(void)
{
	pid_t pid[4];

	enter_jail();
	for (uintptr_t i = 0; i < 4; i++) {
		pid[i] = child_start();
		if (pid[i] == 0) {
			bind_often((void *)i);
			_exit(0);
		}
	}
	bind_often((void *)4);
	for (int i = 0; i < 4; i++)
		child_await(pid[i]);
}

/* A child is killed between its request for such a socket and the reply. */
static void kill_asking(int type)
{
	char request[] = "XS01\0\0\0\x02\0\0\0\x02\0\0\0"; /* the string's NUL is the last byte */
	struct pollfd answer = {.fd = kept(), .events = POLLIN};
	int status;
	pid_t pid = child_start();

	if (pid == 0) {
		request[11] = (char)type;
		CHECK_EQ(send(kept(), request, sizeof(request), 0), sizeof(request));
		kill(getpid(), SIGKILL);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(poll(&answer, 1, 5000), 1);
}

static void test_killed(void)
{
	int before;

	enter_jail();
	before = strangers();
	for (int i = 0; pair_preloaded() && i < 3; i++)
		kill_asking(1 + i % 2);
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(strangers(), before);
}

/* The same when the reply is an error. */
static void test_killed_refused(void)
{
	enter_jail();
	if (pair_preloaded())
		kill_asking(SOCK_RAW); /* needs a protocol */
	CHECK_EQ(bind_listed(), 0);
}

static void end_connection(void)
{
	struct pollfd end = {.events = POLLIN};

	if (!pair_preloaded())
		return;
	end.fd = kept();
	CHECK_EQ(send(end.fd, "", 1, 0), 1); /* not a request, so the server closes */
	CHECK_EQ(poll(&end, 1, 5000), 1);
}

/* The server was restarted: a new connection is made while the control socket can be reached. */
static void test_restarted(void)
{
	int before = strangers();

	CHECK_EQ(chroot("/"), 0);
	end_connection();
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(strangers() - before, pair_preloaded());
}

/* The same when the program has closed the kept connection. */
static void test_closed(void)
{
	CHECK_EQ(chroot("/"), 0);
	if (pair_preloaded())
		close(kept());
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
}

/* A child of vfork(2) shares the memory but has its own descriptors: what it closes stays open
 * here. */
static void test_vforked(void)
{
	pid_t child;

	enter_jail();
	child = vfork();
	if (child == 0) {
		if (pair_preloaded())
			close(kept());
		_exit(chroot("/") < 0);
	}
	child_await(child);
	CHECK_EQ(bind_listed(), 0);
}

/*
 * In the jail a server that has closed the connection cannot be reached again, and nothing is kept.
 */
static void test_ended(void)
{
	int before = strangers();

	enter_jail();
	end_connection();
	CHECK_EQ(bind_listed(), pair_preloaded() ? ENOENT : 0);
	CHECK_EQ(strangers(), before);
}

/* A bind waits for a child that holds the lock on the connection; the child's death releases it. */
static void test_holder(void)
{
	pid_t holder;

	enter_jail();
	holder = start_holder(200);
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(waitpid(holder, NULL, 0), holder);
}

/* The server knows the user who made the connection, so another user needs a new one. */
static void test_other_user(void)
{
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(seteuid(65534), 0);
	CHECK_EQ(bind_listed(), pair_preloaded() ? ENOENT : 0);
	CHECK_FAILS(chroot("/"), EPERM); /* finds no server, and gives up nothing */
	CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(bind_listed(), 0);
}

/* The user who makes the kept connection need not be root. */
static void test_never_root(void)
{
	CHECK_EQ(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP), 0); /* may still chroot */
	CHECK_EQ(seteuid(65534), 0);
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
}

/* Where the jail has the control socket, another user gets a new connection in his own name, also
 * at chroot, in place of the first. */
static void test_other_user_reaches(void)
{
	char directory[256], within[sizeof(directory) + sizeof(jail)];
	const int before = strangers();
	struct stat status;
	int fd;

	if (pair_preloaded()) {
		snprintf(directory, sizeof(directory), "%s", getenv("XSOCKET"));
		*strrchr(directory, '/') = '\0';
		CHECK_EQ(unshare(CLONE_NEWNS), 0);
		CHECK_EQ(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
		CHECK_EQ(mount("none", jail, "tmpfs", 0, "mode=755"), 0);
		snprintf(within, sizeof(within), "%s/tmp", jail);
		CHECK_EQ(mkdir(within, 0755), 0);
		snprintf(within, sizeof(within), "%s%s", jail, directory);
		CHECK_EQ(mkdir(within, 0755), 0);
		CHECK_EQ(mount(directory, within, NULL, MS_BIND, NULL), 0);
	}
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
	CHECK_EQ(seteuid(65534), 0);
	fd = pair_socket(SOCK_STREAM);
	CHECK(pair_binds_there(fd, next_port++));
	CHECK_EQ(fstat(fd, &status), 0);
	CHECK_EQ(status.st_uid, 65534);
	close(fd);
	CHECK_FAILS(chroot("/"), EPERM);
	CHECK_EQ(strangers(), before);
	CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(bind_listed(), 0);
}

/* With room for no descriptor at all the bind fails, and works again later. */
static void test_no_room(void)
{
	int fd = pair_socket(SOCK_STREAM);
	rlim_t before;

	enter_jail();
	before = limit_fds(0);
	if (pair_preloaded())
		CHECK_FAILS(pair_bind(fd, next_port), EMFILE);
	limit_fds(before);
	CHECK(pair_binds_there(fd, next_port++));
}

/* No port is listed, so no descriptor is kept. */
static void test_unlisted(void)
{
	int before = strangers();

	enter_jail();
	CHECK_EQ(strangers(), before);
}

/* A chroot that fails keeps nothing, and the next one works. */
static void test_failed_chroot(void)
{
	int before = strangers();

	CHECK_FAILS(chroot("/nowhere/at/all"), ENOENT);
	CHECK_FAILS(chroot((const char *)1), EFAULT);
	CHECK_EQ(strangers(), before);
	CHECK_EQ(bind_listed(), 0);
	enter_jail();
	CHECK_EQ(bind_listed(), 0);
}

/* Threads take turns, too. */
static void test_threads(void)
{
	enter_jail();
	thread_run_all(bind_often, 8);
}

static void test_listed(void)
{
	RUN_BY(run_jailed, test_jail);
	RUN_BY(run_jailed, test_forked);
	RUN_BY(run_jailed, test_killed);
	RUN_BY(run_jailed, test_killed_refused);
	RUN_BY(run_jailed, test_restarted);
	RUN_BY(run_jailed, test_closed);
	RUN_BY(run_jailed, test_vforked);
	RUN_BY(run_jailed, test_ended);
	RUN_BY(run_jailed, test_holder);
	if (seteuid(65534) == 0) { /* fails in a user namespace with one user */
		CHECK_EQ(seteuid(0), 0);
		RUN_BY(run_jailed, test_other_user);
		RUN_BY(run_jailed, test_never_root);
		RUN_BY(run_jailed, test_other_user_reaches);
	}
	RUN_BY(run_jailed, test_failed_chroot);
	RUN_BY(run_jailed, test_threads);
	RUN_BY(run_jailed, test_no_room);
}

int main(void)
{
	const char *listed = getenv("XBIND");
	char inner[sizeof(jail) + 8];

	jail_make();
	snprintf(inner, sizeof(inner), "%s/inner", jail);
	if (listed && strcmp(listed, ",") == 0) /* a list without a port */
		RUN_BY(run_jailed, test_unlisted);
	else
		test_listed();
	rmdir(inner);
	CHECK_EQ(rmdir(jail), 0);
	return 0;
}
