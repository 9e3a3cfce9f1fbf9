/* SPDX-License-Identifier: MIT */
/* Registrations in epoll sets, and copies, follow a socket that is replaced. Without hooks. */
#include "support/no_proc.h"
#include "support/replace.h"

#include <fcntl.h>

#define FD_TOP   200 /* a number that nothing else has */
#define FD_APART 64  /* no number close to it is a set's */

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

/* However far their numbers are from each other. */
static void test_distant_sets(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set(), other = epoll_create1(0);

	CHECK_EQ(dup2(other, FD_APART), FD_APART);
	close(other);
	epollset_new(FD_APART);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(control(FD_APART, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	replace(fd, SOCK_STREAM);
	CHECK_EQ(listen(fd, 8), 0);
	close(connect_to(fd));
	check_event(set, EPOLLIN, 1);
	check_event(FD_APART, EPOLLIN, 2);
	CHECK_EQ(control(FD_APART, EPOLL_CTL_DEL, fd, 0, 0), 0);
	close(fd);
	close(set);
	close(FD_APART);
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

/* It stays so through a swap that fails, and is armed again after one that does not. */
static void test_fired_oneshot_and_failure(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), set = new_set();
	struct sys_identity identity;
	struct epollset_move move;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT, 3), 0);
	check_event(set, EPOLLOUT, 3);
	CHECK_EQ(sys_identify(fd, &identity), 0);
	CHECK_EQ(epollset_detach(fd, &identity, &move), 0);
	epollset_attach(fd, &move);
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
	int pipe_fds[2];
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
	child_await(pid);
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

/* What was registered past the record stays with the old socket, and the other sets are spared. */
static void test_untold(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = socket(AF_INET, SOCK_STREAM, 0), untold = new_set(), set = new_set();

	CHECK_EQ(epoll_ctl(untold, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 8), 0);
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 8);
	check_quiet(untold);
	close(fd);
	close(untold);
	close(set);
}

static void test_without_proc(void)
{
	without_proc(test_untold);
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
	child_await(pid);
	printf("ok test_inherited\n");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		inherited(atoi(argv[1]), atoi(argv[2]));
	test_needs_kcmp();
	RUN(test_registration_follows);
	RUN(test_distant_sets); /* before there are many */
	RUN(test_many_sets);
	RUN(test_too_many_sets);
	RUN(test_flags);
	RUN(test_fired_oneshot);
	RUN(test_fired_oneshot_and_failure);
	RUN(test_forked_holder);
	RUN(test_copies);
	RUN(test_number_in_the_set_twice);
	RUN(test_stale_sets);
	if (geteuid() == 0)
		RUN(test_without_proc);
	test_inherited(argv[0]);
	return 0;
}
