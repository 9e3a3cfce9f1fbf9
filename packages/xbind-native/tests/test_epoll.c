/* SPDX-License-Identifier: MIT */
/* test_epoll.c - registrations made in epoll sets before bind still work after it */
#include "support/child.h"
#include "support/forbid.h"
#include "support/listener.h"
#include "support/no_proc.h"

#include <fcntl.h>

#define SETS_MAX   64 /* most sets in which a socket may be when it moves */
#define SETS_NOTED 4  /* most sets recorded for a socket */

static void test_registration(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	errno = 77;
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(errno, 77);
	check_event(set, EPOLLHUP, DATA); /* bound, not listening */
	check_listener(fd, set, DATA);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 0), EEXIST);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP, 7), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	CHECK_FAILS(control(set, EPOLL_CTL_DEL, fd, 0, 0), ENOENT);
	close(fd);
	close(set);
}

static void test_epoll_create(void)
{
	int fd = pair_socket(SOCK_STREAM), set = epoll_create(1);

	CHECK(set >= 0);
	CHECK_EQ(fcntl(set, F_GETFD), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	bind_and_check(fd, set);
	close(fd);
	close(set);
	CHECK_FAILS(epoll_create(0), EINVAL);
	CHECK_FAILS(epoll_create1(-1), EINVAL);
}

/* The library has not seen the registration: it was made by a raw system call. */
static void test_unseen_registration(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = DATA};
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_EQ(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event), 0);
	bind_and_check(fd, set);
	close(fd);
	close(set);
}

/* The library has not seen how the set was made, and learns of it at the first registration. */
static void test_unseen_set(void)
{
	int fd = pair_socket(SOCK_STREAM), set = libc_unseen_set();

	CHECK(set >= 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	bind_and_check(fd, set);
	close(fd);
	close(set);
}

/* epoll_ctl(2) fails as without the library. */
static void test_arguments(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_FAILS(epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL), EFAULT);
	CHECK_FAILS(control(-1, EPOLL_CTL_ADD, fd, EPOLLIN, 0), EBADF);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, -1, EPOLLIN, 0), EBADF);
	CHECK_FAILS(control(fd, EPOLL_CTL_ADD, set, EPOLLIN, 0), EINVAL);
	CHECK_FAILS(control(set, 99, fd, EPOLLIN, 0), EINVAL);
	errno = 77;
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 0), 0);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0);
	CHECK_EQ(errno, 77);
	close(fd);
	close(set);
}

static void test_noted_sets(void)
{
	int fd = pair_socket(SOCK_STREAM), sets[SETS_NOTED], client;

	for (int i = 0; i < SETS_NOTED; i++) {
		sets[i] = new_set();
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)i), 0);
	}
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(listen(fd, 8), 0);
	client = client_of(SERVER_PORT);
	for (int i = 0; i < SETS_NOTED; i++) {
		check_event(sets[i], EPOLLIN, (uint64_t)i);
		close(sets[i]);
	}
	close(fd);
	close_now(client);
}

/* The bind fails until one set is closed. A one-shot registration that has fired stays so
 * meanwhile. */
static void test_too_many_sets(void)
{
	int fd = pair_socket(SOCK_STREAM), sets[SETS_MAX + 1];

	for (int i = 0; i <= SETS_MAX; i++) {
		uint32_t once = i == 0 ? EPOLLONESHOT : 0;

		sets[i] = new_set();
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN | once, (uint64_t)i), 0);
	}
	check_event(sets[0], EPOLLHUP, 0);
	if (pair_preloaded()) {
		CHECK_FAILS(pair_bind(fd, SERVER_PORT), ENOBUFS);
	}
	check_quiet(sets[0]);
	check_event(sets[1], EPOLLHUP, 1);
	close(sets[SETS_MAX]);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(sets[0]);
	CHECK_EQ(control(sets[0], EPOLL_CTL_MOD, fd, EPOLLIN, 0), 0);
	for (int i = 0; i < SETS_MAX; i++) {
		check_event(sets[i], EPOLLHUP, (uint64_t)i);
		close(sets[i]);
	}
	close(fd);
}

/* A copy follows the socket even so, with as many registrations as can move. None of those stays in
 * the sets for the old socket, which a child keeps open. */
static void test_copy_in_too_many_sets(void)
{
	int fd = pair_socket(SOCK_STREAM), copy = dup(fd), sets[SETS_MAX + 1], client;
	struct child_holder holder;

	for (int i = 0; i <= SETS_MAX; i++) {
		sets[i] = new_set();
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, copy, EPOLLIN, (uint64_t)i), 0);
	}
	holder = child_hold();
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK(pair_is_there(copy));
	CHECK_EQ(listen(copy, 8), 0);
	client = client_of(SERVER_PORT);
	for (int i = 0; i <= SETS_MAX; i++) {
		if (i < SETS_MAX) {
			check_event(sets[i], EPOLLIN, (uint64_t)i);
			CHECK_EQ(control(sets[i], EPOLL_CTL_DEL, copy, 0, 0), 0);
			check_quiet(sets[i]);
		}
		close(sets[i]);
	}
	child_let_go(holder);
	close(copy);
	close(fd);
	close_now(client);
}

/* The numbers of the sets are far apart. */
static void test_distant_sets(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), other = new_set(), client;
	int distant = fcntl(other, F_DUPFD_CLOEXEC, 200);

	close(other);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(control(distant, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(listen(fd, 8), 0);
	client = client_of(SERVER_PORT);
	check_event(set, EPOLLIN, 1);
	check_event(distant, EPOLLIN, 2);
	close(fd);
	close_now(client);
	close(set);
	close(distant);
}

/* A set that is itself watched by a set. */
static void test_nested_set(void)
{
	int fd = pair_socket(SOCK_STREAM), inner = new_set(), outer = new_set();

	CHECK_EQ(control(inner, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, DATA), 0);
	bind_and_check(fd, outer);
	close(fd);
	close(inner);
	close(outer);
}

/* One set has two numbers, and the one used for the registration is closed. */
static void test_copied_set(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), copy = dup(set);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	close(set);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(control(copy, EPOLL_CTL_MOD, fd, EPOLLIN, DATA), 0);
	check_listener(fd, copy, DATA);
	close(fd);
	close(copy);
}

/* The same where another set has the number of the one that was closed. */
static void test_copied_set_of_taken_number(void)
{
	int before = pair_socket(SOCK_STREAM), fd = pair_socket(SOCK_STREAM);
	int set = new_set(), copy = dup(set);

	CHECK_EQ(pair_bind(before, 3100), 0); /* the library forgets closed sets */
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	close(set);
	CHECK_EQ(new_set(), set);
	bind_and_check(fd, copy);
	close(before);
	close(fd);
	close(set);
	close(copy);
}

/* The same where kcmp(2) is refused, as in a container, and a socket has the first number. */
static void test_copied_set_without_kcmp(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), copy = fcntl(set, F_DUPFD, 100), other;

	forbid(SYS_kcmp);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	close(set);
	other = pair_socket(SOCK_DGRAM);
	CHECK_EQ(other, set);
	bind_and_check(fd, copy);
}

static void check_flags(uint32_t flags)
{
	int fd = pair_socket(SOCK_DGRAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | flags, DATA), 0);
	CHECK(pair_binds_there(fd, SERVER_PORT));
	check_event(set, EPOLLOUT, DATA);
	if (flags & (EPOLLET | EPOLLONESHOT))
		check_quiet(set);
	else
		check_event(set, EPOLLOUT, DATA);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLOUT, 1), flags & EPOLLEXCLUSIVE ? -1 : 0);
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
	check_flags(EPOLLPRI | EPOLLRDHUP | EPOLLIN);
}

static void test_copies(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), other_set = new_set();
	int copy = dup(fd), top = fcntl(fd, F_DUPFD_CLOEXEC, 300), second;

	CHECK_EQ(dup3(fd, 77, O_CLOEXEC), 77);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, top, EPOLLIN, 2), 0);
	CHECK_EQ(control(other_set, EPOLL_CTL_ADD, copy, EPOLLIN | EPOLLET, 3), 0);
	CHECK_EQ(pair_bind(copy, SERVER_PORT), 0);
	CHECK_EQ(pair_port(fd), SERVER_PORT);
	CHECK_EQ(pair_port(top), SERVER_PORT);
	CHECK_EQ(pair_port(77), SERVER_PORT);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_EQ(fcntl(top, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(77, F_GETFD), FD_CLOEXEC);
	CHECK_FAILS(pair_bind(fd, SERVER_PORT), EINVAL);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	check_listener(top, set, 2);
	second = client_of(SERVER_PORT);
	check_event(other_set, EPOLLIN, 3);
	check_quiet(other_set);
	close(fd);
	close(copy);
	close(top);
	close(77);
	close(set);
	close(other_set);
	close_now(second);
}

/* A closed socket's registration stays as long as a copy is open; another socket has its number
 * now. */
static void test_number_in_the_set_twice(void)
{
	int fd = pair_socket(SOCK_DGRAM), copy = dup(fd), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT, 1), 0);
	close(fd);
	CHECK_EQ(pair_socket(SOCK_STREAM), fd);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 2), 0);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(listen(fd, 1), 0);
	check_event(set, EPOLLOUT, 1);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	check_event(set, EPOLLOUT, 1);
	close(fd);
	close(copy);
	close(set);
}

/* A bind that fails changes nothing, and the next one works. */
static void test_failed_bind(void)
{
	int taken = pair_socket(SOCK_STREAM), fd = pair_socket(SOCK_STREAM), set = new_set();
	int copy = dup(fd);

	CHECK_EQ(pair_bind(taken, SERVER_PORT), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, copy, EPOLLIN, DATA), 0);
	CHECK_FAILS(pair_bind(fd, SERVER_PORT), EADDRINUSE);
	CHECK_EQ(pair_port(fd), 0);
	CHECK_EQ(pair_port(copy), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, copy, 0, 0), 0);
	check_event(set, EPOLLHUP, DATA);
	close(taken);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(pair_port(copy), SERVER_PORT);
	check_listener(fd, set, DATA);
	close(fd);
	close(copy);
	close(set);
}

/* Registrations of other sockets are not touched, nor those of a socket with an unlisted port. */
static void test_unlisted(void)
{
	int fd = pair_socket(SOCK_DGRAM), other = pair_socket(SOCK_DGRAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET, 1), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, other, EPOLLOUT | EPOLLET, 2), 0);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, 1), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, other, 0, 0), 0);
	CHECK_EQ(pair_bind(fd, 4000), 0);
	CHECK_EQ(pair_bind(other, SERVER_PORT), 0);
	check_event(set, EPOLLOUT, 1);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, other, 0, 0), -1);
	close(fd);
	close(other);
	close(set);
}

/* Without /proc, a registration that the library has not seen stays with the old socket. */
static void test_untold(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = pair_socket(SOCK_STREAM), unseen = new_set(), set = new_set();

	CHECK_EQ(syscall(SYS_epoll_ctl, unseen, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	bind_and_check(fd, set);
	check_quiet(unseen);
}

int main(void)
{
	RUN(test_unseen_set); /* first: a closed set starts a search */
	RUN(test_registration);
	RUN(test_epoll_create);
	RUN(test_unseen_registration);
	RUN(test_arguments);
	RUN(test_distant_sets); /* before there are many sets */
	RUN(test_too_many_sets);
	RUN(test_copy_in_too_many_sets);
	RUN(test_nested_set);
	RUN(test_copied_set);
	RUN(test_copied_set_of_taken_number);
	RUN_BY(forbid_run, test_copied_set_without_kcmp);
	RUN(test_flags);
	RUN(test_copies);
	RUN(test_number_in_the_set_twice);
	RUN(test_failed_bind);
	RUN(test_unlisted);
	test_needs_kcmp();
	RUN_BY(without_proc, test_untold);
	RUN_BY(without_proc, test_registration);
	RUN_BY(without_proc, test_noted_sets);
	RUN_BY(without_proc, test_flags);
	RUN_BY(without_proc, test_copies);
	RUN_BY(without_proc, test_number_in_the_set_twice);
	return 0;
}
