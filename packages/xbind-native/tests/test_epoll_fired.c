/* SPDX-License-Identifier: MIT */
/*
 * test_epoll_fired.c - an EPOLLONESHOT registration that has fired survives bind
 *
 * epoll_ctl(2) cannot add a registration in that state, so the library keeps it until it is armed.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/limit.h"
#include "support/listener.h"
#include "support/thread.h"

#include <fcntl.h>

#define FIRST_COPY 100 /* descriptor numbers that no other test uses */
#define OTHERS     8   /* sets; more than the records kept for one descriptor */

static int fired_and_bound(int set)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
	check_event(set, EPOLLHUP, 1);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(set);
	return fd;
}

/* Each copy of a socket has a registration of its own. */
static void test_of_both_numbers(void)
{
	int fd = pair_socket(SOCK_STREAM), copy = dup(fd), set = new_set();
	const uint32_t once = EPOLLIN | EPOLLONESHOT;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, once, 1), 0);
	check_event(set, EPOLLHUP, 1);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, copy, once | EPOLLET, 2), 0);
	check_event(set, EPOLLHUP, 2);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(set);
	CHECK_FAILS(control(set, EPOLL_CTL_MOD, fd, once | EPOLLEXCLUSIVE, 3), EINVAL);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, once, 3), 0);
	check_event(set, EPOLLHUP, 3);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 4), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, copy, 0, 0), 0);
	CHECK_FAILS(control(set, EPOLL_CTL_DEL, copy, 0, 0), ENOENT);
	CHECK_FAILS(control(set, EPOLL_CTL_MOD, copy, once, 5), ENOENT);
	check_listener(fd, set, 4);
	close(fd);
	close(copy);
	close(set);
}

/* A registration is in a set and in all copies of the set. */
static void test_in_copy_of_set(void)
{
	int set = new_set(), copy = dup(set), other = new_set();
	int fd = fired_and_bound(set);

	CHECK_FAILS(control(other, EPOLL_CTL_MOD, fd, EPOLLIN, 2), ENOENT);
	CHECK_FAILS(control(copy, EPOLL_CTL_ADD, fd, EPOLLIN, 2), EEXIST);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLEXCLUSIVE | EPOLLONESHOT, 2), EINVAL);
	CHECK_FAILS(epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL), EFAULT);
	CHECK_EQ(control(copy, EPOLL_CTL_MOD, fd, EPOLLIN, 2), 0);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), EEXIST);
	check_listener(fd, set, 2);
	CHECK_EQ(control(copy, EPOLL_CTL_DEL, fd, 0, 0), 0);
	CHECK_FAILS(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 3), ENOENT);
	close(fd);
	close(set);
	close(copy);
	close(other);
}

/* The library knows of the registration even if no descriptor is left to ask the kernel with. */
static void test_without_descriptor(void)
{
	int set = new_set(), fd = fired_and_bound(set);

	limit_fds_for_good(0);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), EEXIST);
}

/* The library knows whose the registration is without statx(2) and fstat(2). */
static void test_without_stat(void)
{
	int set = new_set(), fd;

	forbid_stat();
	fd = fired_and_bound(set);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 2), 0);
	check_listener(fd, set, 2);
}

/* The registration was made through one copy of the set and is looked up through another. */
static void test_by_copy_of_set(void)
{
	int set = new_set(), copy = dup(set), fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(control(copy, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
	check_event(set, EPOLLHUP, 1);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(set);
	CHECK_EQ(control(copy, EPOLL_CTL_MOD, fd, EPOLLIN, 2), 0);
	check_listener(fd, set, 2);
	close(fd);
	close(set);
	close(copy);
}

/* The same where the number that was used is closed, or a socket's by now. */
static void check_without_first(bool is_taken)
{
	int set = new_set(), copy = fcntl(set, F_DUPFD, FIRST_COPY + is_taken);
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
	check_event(set, EPOLLHUP, 1);
	close(set);
	if (is_taken)
		CHECK_EQ(pair_socket(SOCK_STREAM), set);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(copy);
	CHECK_FAILS(control(copy, EPOLL_CTL_ADD, fd, EPOLLIN, 2), EEXIST);
	CHECK_EQ(control(copy, EPOLL_CTL_MOD, fd, EPOLLIN, 2), 0);
	check_listener(fd, copy, 2);
	close(fd);
	close(copy);
	if (is_taken)
		close(set);
}

static void test_in_copy_that_is_left(void)
{
	check_without_first(false);
	check_without_first(true);
}

/* The library's own descriptor takes the lowest free number: the closed set's must not be taken
 * for it. */
static void check_closed(int set)
{
	int fd = fired_and_bound(set);

	close(set);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), EBADF);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLEXCLUSIVE | EPOLLONESHOT, 2), EBADF);
	CHECK_FAILS(epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL), EFAULT);
	close(fd);
}

static void test_in_closed_set(void)
{
	int set = new_set();

	check_closed(set);
	set = new_set();
	CHECK_EQ(fcntl(set, F_DUPFD_CLOEXEC, FIRST_COPY + 2), FIRST_COPY + 2);
	close(set);
	check_closed(FIRST_COPY + 2);
}

/* It is not dropped in favour of registrations in other sets, of which fewer are remembered. */
static void test_beside_others(void)
{
	int set = new_set(), fd = fired_and_bound(set), others[OTHERS];

	for (int i = 0; i < OTHERS; i++) {
		others[i] = new_set();
		CHECK_EQ(control(others[i], EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	}
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 3), 0);
	check_listener(fd, set, 3);
	close(fd);
	close(set);
	for (int i = 0; i < OTHERS; i++)
		close(others[i]);
}

/* The registration belongs to the socket, not to whatever has its number later. */
static void test_of_number(void)
{
	int set = new_set(), fd = fired_and_bound(set);

	close(fd);
	CHECK_EQ(pair_socket(SOCK_STREAM), fd);
	CHECK_FAILS(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 2), ENOENT);
	CHECK_FAILS(control(set, EPOLL_CTL_DEL, fd, 0, 0), ENOENT);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_FAILS(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 2), ENOENT);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	check_event(set, EPOLLHUP, 2);
	close(fd);
	close(set);
}

/* A registration of a closed socket leaves its place to those in other sets. */
static void test_of_closed(void)
{
	int sets[OTHERS], fd;

	for (int i = 0; i < OTHERS; i++)
		sets[i] = new_set();
	for (int i = 0; i < OTHERS / 2; i++)
		close(fired_and_bound(sets[i]));
	fd = pair_socket(SOCK_STREAM);
	for (int i = OTHERS - 2; i < OTHERS; i++) {
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 2), 0);
		check_event(sets[i], EPOLLHUP, 2);
	}
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(sets[OTHERS - 2]);
	check_quiet(sets[OTHERS - 1]);
	close(fd);
	for (int i = 0; i < OTHERS; i++)
		close(sets[i]);
}

/* The registration ends with the set, too. */
static void test_of_number_of_set(void)
{
	int set = new_set(), fd = fired_and_bound(set), pipe_fds[2];

	close(set);
	CHECK_EQ(pipe(pipe_fds), 0);
	CHECK_EQ(pipe_fds[0], set);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), EINVAL);
	close(pipe_fds[0]);
	CHECK_EQ(new_set(), set);
	CHECK_FAILS(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 2), ENOENT);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	check_listener(fd, set, 2);
	close(fd);
	close(set);
	close(pipe_fds[1]);
}

/* A child of vfork(2) has a set of its own under the same number. */
static void test_number_in_child(void)
{
	int fd = pair_socket(SOCK_DGRAM), set = new_set();
	pid_t child;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT, DATA), 0);
	check_event(set, EPOLLOUT, DATA);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	fflush(stdout);
	child = vfork();
	if (child == 0) {
		close(set);
		_exit(epoll_create1(0) != set);
	}
	child_await(child);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLOUT, DATA), 0);
	check_event(set, EPOLLOUT, DATA);
	close(fd);
	close(set);
}

/* kcmp(2) is refused in containers. */
static void test_without_kcmp(void)
{
	int set = new_set(), fd;

	forbid(SYS_kcmp);
	fd = fired_and_bound(set);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), EEXIST);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 2), 0);
	check_listener(fd, set, 2);
}

/* Under a filter that kills the process at any call that xbind(7) does not list. */
static void test_filtered(void)
{
	static const long calls[] = {
	    SYS_getsockopt,   SYS_gettid,    SYS_getpid,     SYS_rt_sigprocmask,
	    SYS_rt_sigaction, SYS_epoll_ctl, SYS_exit_group,
	};
	int set = new_set(), fd = fired_and_bound(set);

	forbid_others(calls, COUNT(calls));
	_exit(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 2) != 0);
}

/* By the error of a number that is no set, a filter does not make one of two sets lose its own. */
static void test_in_two_sets(void)
{
	int sets[] = {new_set(), new_set()}, fd = pair_socket(SOCK_STREAM);

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1), 0);
		check_event(sets[i], EPOLLHUP, 1);
	}
	forbid_by(SECCOMP_RET_ERRNO | EINVAL, SYS_kcmp);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	for (uint64_t i = 0; i < 2; i++) {
		check_quiet(sets[i]);
		CHECK_EQ(control(sets[i], EPOLL_CTL_MOD, fd, EPOLLIN, 2 + i), 0);
	}
	check_listener(fd, sets[0], 2);
}

static void *make_sets(void *unused)
{
	int set = new_set(), fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	close(set);
	CHECK_EQ(new_set(), set);
	close(set);
	close(fd);
	return unused;
}

/* A filter may kill the program for kcmp(2), which only the number of a parked set is worth. */
static void test_other_sets(void)
{
	fired_and_bound(new_set());
	forbid_by(SECCOMP_RET_KILL_PROCESS, SYS_kcmp);
	thread_run(make_sets, NULL);
}

int main(void)
{
	RUN_BY(forbid_run, test_other_sets); /* first, so that nothing is parked under its number */
	RUN(test_of_both_numbers);
	RUN(test_in_copy_of_set);
	RUN_BY(child_run, test_without_descriptor);
	RUN_BY(forbid_run, test_without_stat);
	RUN(test_by_copy_of_set);
	RUN(test_in_copy_that_is_left);
	RUN(test_in_closed_set);
	RUN(test_beside_others);
	RUN(test_of_number);
	RUN(test_of_closed);
	RUN(test_of_number_of_set);
	RUN(test_number_in_child);
	RUN_BY(forbid_run, test_without_kcmp);
	RUN_BY(forbid_run, test_in_two_sets);
	RUN_BY(forbid_run, test_filtered);
	return 0;
}
