/* SPDX-License-Identifier: MIT */
/* Registrations in epoll sets, and copies, follow a socket that is replaced. Without hooks. */
#include "support/events.h"
#include "xbind/copies.h"
#include "xbind/epollrecord.h"
#include "xbind/epollset.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_TOP 300 /* a number that nothing else has */

/*
 * Each is run once, as another thread might do it: right after kcmp(2) has found another file of
 * the number that it was asked for, after it was asked about the table of descriptors, and after it
 * has not found a number.
 */
static void (*after_other_file)(void), (*after_table)(void), (*after_no_file)(void);
static int number_of_no_file;

static void run_once(void (**call)(void))
{
	void (*now)(void) = *call;

	*call = NULL;
	if (now)
		now();
}

long sys_call(long number, const long args[6])
{
	long rc = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);

	if (rc < 0)
		rc = -errno;
	if (rc == -ENOENT && number == SYS_kcmp && args[3] == number_of_no_file)
		run_once(&after_no_file);
	if (number == SYS_kcmp && args[2] == KCMP_EPOLL_TFD && rc > 0)
		run_once(&after_other_file);
	if (number == SYS_kcmp && args[2] == KCMP_FILES && rc >= 0)
		run_once(&after_table);
	return rc;
}

/* What hook_bind does, less the options: a fresh socket takes the place of fd, and is bound. */
static void replace(int fd, int type)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fresh = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct sys_identity identity;
	struct epollset_move move;
	struct copies copies;

	CHECK(fresh >= 0);
	CHECK_EQ(bind(fresh, (struct sockaddr *)&any, sizeof(any)), 0);
	CHECK_EQ(sys_identify(fd, &identity), 0);
	copies_watch(fd, &identity, &copies);
	CHECK_EQ(epollset_detach(fd, &identity, &move), 0);
	CHECK_EQ(dup3(fresh, fd, O_CLOEXEC), fd);
	epollset_attach(fd, &move);
	copies_replace(&copies, fd);
	close(fresh);
}

/* What the hook of epoll_ctl(2) does. */
static int control(int set, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	int rc = epoll_ctl(set, operation, fd, &event);

	if (rc < 0 && operation == EPOLL_CTL_MOD && epollrecord_unpark(set, fd))
		rc = epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	if (rc == 0)
		epollrecord_note(set, operation, fd, &event);
	epollset_know(set);
	return rc;
}

static int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	CHECK(set >= 0);
	epollset_know(set);
	return set;
}

/* Connects to what has the number fd. */
static int connect_to(int fd)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&name, sizeof(name)), 0);
	return client;
}

/* The listener behind fd makes exactly this event when somebody connects. */
static void check_listener(int fd, int set, uint64_t data)
{
	int client;

	CHECK_EQ(listen(fd, 8), 0);
	check_quiet(set);
	client = connect_to(fd);
	check_event(set, EPOLLIN, data);
	close(client);
	close(accept(fd, NULL, NULL));
}

static void test_registration_follows(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	int other = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 0xfedcba9876543210), 0);
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 0xfedcba9876543210);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), -1);
	CHECK_EQ(errno, EEXIST);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLHUP, 7), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), -1);
	CHECK_EQ(errno, ENOENT);
	replace(other, SOCK_STREAM); /* one that is in no set */
	CHECK_EQ(control(set, EPOLL_CTL_DEL, other, 0, 0), -1);
	close(fd);
	close(other);
	close(set);
}

static void check_sets(int count)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int sets[EPOLLSET_MOVE_MAX];

	for (int i = 0; i < count; i++) {
		sets[i] = new_set();
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)i), 0);
	}
	replace(fd, SOCK_STREAM);
	CHECK_EQ(listen(fd, 8), 0);
	close(connect_to(fd));
	for (int i = 0; i < count; i++) {
		check_event(sets[i], EPOLLIN, (uint64_t)i);
		close(sets[i]);
	}
	close(fd);
}

static void test_many_sets(void)
{
	check_sets(EPOLLSET_MOVE_MAX);
}

/* As many as are remembered of one descriptor. */
static void test_some_sets(void)
{
	check_sets(EPOLLRECORD_SETS);
}

static void test_too_many_sets(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int sets[EPOLLSET_MOVE_MAX + 1];
	struct sys_identity identity;
	struct epollset_move move;

	for (int i = 0; i <= EPOLLSET_MOVE_MAX; i++) {
		sets[i] = new_set();
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)i), 0);
	}
	CHECK_EQ(sys_identify(fd, &identity), 0);
	CHECK_EQ(epollset_detach(fd, &identity, &move), -ENOBUFS);
	for (int i = 0; i <= EPOLLSET_MOVE_MAX; i++) {
		check_event(sets[i], EPOLLHUP, (uint64_t)i);
		close(sets[i]);
	}
	close(fd);
}

/* Events of a datagram socket before and after, for each way to be told. */
static void check_flags(uint32_t flags)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), set = new_set();
	struct epoll_event event;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | flags, 3), 0);
	replace(fd, SOCK_DGRAM);
	check_event(set, EPOLLOUT, 3);
	if (flags & (EPOLLET | EPOLLONESHOT))
		check_quiet(set);
	else
		check_event(set, EPOLLOUT, 3);
	event = (struct epoll_event){.events = EPOLLOUT | EPOLLONESHOT};
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event), flags & EPOLLEXCLUSIVE ? -1 : 0);
	close(fd);
	close(set);
}

static void test_flags(void)
{
	check_flags(0);
	check_flags(EPOLLET);
	check_flags(EPOLLONESHOT);
	check_flags(EPOLLET | EPOLLONESHOT);
	check_flags(EPOLLEXCLUSIVE);
	check_flags(EPOLLEXCLUSIVE | EPOLLET);
}

/* An EPOLLONESHOT that has fired stays silent until it is armed again. */
static void test_fired_oneshot(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT, 3), 0);
	check_event(set, EPOLLOUT, 3);
	replace(fd, SOCK_DGRAM);
	check_quiet(set);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, 4), 0);
	check_event(set, EPOLLOUT, 4);
	close(fd);
	close(set);
}

/* Another process that holds the old socket must not haunt the set. */
static void test_forked_holder(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	int status, pipe_fds[2];
	pid_t pid;

	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 5), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) != 0);
	}
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 5);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 6), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(fd);
	close(set);
}

static void test_copies(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set(), other_set = new_set();
	int copy = dup(fd), top = fcntl(fd, F_DUPFD_CLOEXEC, FD_TOP);
	struct sys_identity one, two;

	CHECK_EQ(top, FD_TOP);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, top, EPOLLIN, 2), 0);
	CHECK_EQ(control(other_set, EPOLL_CTL_ADD, copy, EPOLLIN | EPOLLET, 3), 0);
	replace(fd, SOCK_STREAM);
	CHECK_EQ(sys_identify(fd, &one), 0);
	CHECK_EQ(sys_identify(copy, &two), 0);
	CHECK_EQ(one.inode, two.inode);
	CHECK_EQ(sys_identify(top, &two), 0);
	CHECK_EQ(one.inode, two.inode);
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_EQ(fcntl(top, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	check_listener(copy, set, 2);
	close(fd);
	close(copy);
	close(top);
	close(set);
	close(other_set);
}

static void open_another(void)
{
	close(number_of_no_file);
	CHECK_EQ(open("/dev/null", O_RDONLY), number_of_no_file);
}

/* A copy that another thread closes is no copy, and what it opens there stays. */
static void test_copy_closed(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	int copy = dup(fd), last = dup(fd);
	char byte;

	number_of_no_file = copy;
	after_no_file = open_another;
	replace(fd, SOCK_STREAM);
	CHECK(!after_no_file);
	CHECK_EQ(read(copy, &byte, 1), 0);
	CHECK_EQ(listen(last, 1), 0);
	close(fd);
	close(copy);
	close(last);
	close(set);
}

/* A closed socket's registration stays while a copy lives; another socket has its number now. */
static void test_number_in_the_set_twice(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), set = new_set();
	int copy = dup(fd);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT, 1), 0);
	close(fd);
	CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), fd);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	replace(fd, SOCK_STREAM);
	CHECK_EQ(listen(fd, 1), 0);
	check_event(set, EPOLLOUT, 1);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	check_event(set, EPOLLOUT, 1);
	close(fd);
	close(copy);
	close(set);
}

#define GHOSTS 30 /* which of all the files of one number is the first nobody can choose */

static int ghosts[GHOSTS];

static void let_go(void)
{
	for (int i = 0; i < GHOSTS; i++)
		close(ghosts[i]);
}

/* The other files of the number are closed while it is being looked for. */
static void test_number_no_longer_in_the_set_twice(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	int other = socket(AF_INET, SOCK_STREAM, 0);

	for (int i = 0; i < GHOSTS; i++) {
		CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
		ghosts[i] = dup(fd);
		close(fd);
		CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), fd);
	}
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	/* It looks around for the sets of the tests before, and then would look twice. */
	replace(other, SOCK_STREAM);
	after_other_file = let_go;
	replace(fd, SOCK_STREAM);
	run_once(&after_other_file); /* once in GHOSTS times the right file is the first */
	check_listener(fd, set, 2);
	close(fd);
	close(other);
	close(set);
}

/* A number that was a set once and is a socket, or closed, by now. */
static void test_stale_sets(void)
{
	int set = new_set(), closed = new_set();
	int fd;

	close(set);
	close(closed);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(fd, set);
	replace(fd, SOCK_STREAM);
	replace(fd, SOCK_STREAM);
	close(fd);
}

/* Looks into every set for a socket that is in none. */
static void look_for(int fd)
{
	struct sys_identity identity;
	struct epollset_move move;

	CHECK_EQ(sys_identify(fd, &identity), 0);
	CHECK_EQ(epollset_detach(fd, &identity, &move), 0);
	CHECK_EQ((int)move.count, 0);
}

static int renewed, renewed_set, beside;

/* A set has the number of one that is being forgotten, and meanwhile another socket moves. */
static void renew(void)
{
	CHECK_EQ(new_set(), renewed_set);
	CHECK_EQ(control(renewed_set, EPOLL_CTL_ADD, renewed, EPOLLIN, 4), 0);
	look_for(beside);
}

static void test_renewed_set(void)
{
	renewed = socket(AF_INET, SOCK_STREAM, 0);
	beside = socket(AF_INET, SOCK_STREAM, 0);
	look_for(beside); /* what the tests before have closed is forgotten */
	look_for(beside);
	renewed_set = new_set();
	close(renewed_set);
	after_table = renew;
	look_for(beside);
	CHECK(!after_table);
	replace(renewed, SOCK_STREAM);
	check_listener(renewed, renewed_set, 4);
	close(renewed);
	close(beside);
	close(renewed_set);
}

/* Runs a test in a child that has no /proc. */
static void without_proc(void (*test)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(unshare(CLONE_NEWNS), 0);
		CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
		CHECK_EQ(mount("none", "/proc", "tmpfs", 0, NULL), 0);
		CHECK_EQ(access("/proc/self", F_OK), -1);
		test();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void test_without_proc(void)
{
	without_proc(test_registration_follows);
	without_proc(test_some_sets);
	without_proc(test_flags);
	without_proc(test_forked_holder);
	without_proc(test_copies);
	without_proc(test_number_in_the_set_twice);
	without_proc(test_stale_sets);
}

/* Run again over exec: finds the set and the socket that the first process has left it. */
static void inherited(int set, int fd)
{
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 0x77);
	exit(0);
}

static void test_inherited(const char *self)
{
	char set_text[16], fd_text[16];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x77};
		int set = epoll_create1(0);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
		snprintf(set_text, sizeof(set_text), "%d", set);
		snprintf(fd_text, sizeof(fd_text), "%d", fd);
		test_exec(self, set_text, fd_text);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	printf("ok test_inherited\n");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		inherited(atoi(argv[1]), atoi(argv[2]));
	RUN(test_registration_follows);
	RUN(test_many_sets);
	RUN(test_too_many_sets);
	RUN(test_flags);
	RUN(test_fired_oneshot);
	RUN(test_forked_holder);
	RUN(test_copies);
	RUN(test_copy_closed);
	RUN(test_number_in_the_set_twice);
	RUN(test_number_no_longer_in_the_set_twice);
	RUN(test_stale_sets);
	RUN(test_renewed_set);
	if (geteuid() == 0)
		RUN(test_without_proc);
	test_inherited(argv[0]);
	return 0;
}
