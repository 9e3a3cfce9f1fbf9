/* SPDX-License-Identifier: MIT */
/* test_epollset_raced.c - other threads act while registrations and copies follow a socket,
 * without hooks */
#include "support/no_proc.h"
#include "support/replace.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>

/*
 * Each function is called once, in the place of another thread: right after kcmp(2) has found
 * another file under the number, was asked about descriptor tables, or has found nothing under
 * number_of_no_file; before getdents64(2), by which the library searches for sets; and before a
 * registration is removed from number_of_set.
 */
static void (*after_other_file)(void), (*after_table)(void), (*after_no_file)(void);
static void (*before_list)(void), (*before_delete)(void);
static int number_of_no_file, number_of_set;

static void run_once(void (**call)(void))
{
	void (*now)(void) = *call;

	*call = NULL;
	if (now)
		now();
}

long sys_call(long number, const long args[6])
{
	long rc;

	if (number == SYS_getdents64)
		run_once(&before_list);
	if (number == SYS_epoll_ctl && args[1] == EPOLL_CTL_DEL && args[0] == number_of_set)
		run_once(&before_delete);
	rc = test_enter(number, args);
	if (rc == -ENOENT && number == SYS_kcmp && args[3] == number_of_no_file)
		run_once(&after_no_file);
	if (number == SYS_kcmp && args[2] == KCMP_EPOLL_TFD && rc > 0)
		run_once(&after_other_file);
	if (number == SYS_kcmp && args[2] == KCMP_FILES && rc >= 0)
		run_once(&after_table);
	return rc;
}

/* The library has not searched for sets when it was loaded, so it does at the first move. */
static void test_set_from_before(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = epoll_create1(EPOLL_CLOEXEC);

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 1);
	close(fd);
	close(set);
}

static void open_another(void)
{
	close(number_of_no_file);
	CHECK_EQ(open("/dev/null", O_RDONLY), number_of_no_file);
}

/* A copy that another thread closes is no longer one, and what it opens under the number stays. */
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
	check_follows(last, fd);
	close(fd);
	close(copy);
	close(last);
	close(set);
}

#define GHOSTS 30 /* earlier files of the number; the kernel seldom finds the last one first */

static int ghosts[GHOSTS];

static void let_go(void)
{
	for (int i = 0; i < GHOSTS; i++)
		close(ghosts[i]);
}

/* The other files registered under the number are closed during the search for the right one. */
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
	/* The first move searches for sets of earlier tests; the next one searches only once. */
	replace(other, SOCK_STREAM);
	after_other_file = let_go;
	replace(fd, SOCK_STREAM);
	run_once(&after_other_file); /* in case the first file was the right one */
	check_listener(fd, set, 2);
	close(fd);
	close(other);
	close(set);
}

static int renewed, renewed_set, beside;

/* Searches every set for a socket that is in none. */
static void look_around(void)
{
	CHECK_EQ(detach(beside), 0);
}

/* Makes the library forget closed sets. */
static void forget_closed(void)
{
	beside = socket(AF_INET, SOCK_STREAM, 0);
	look_around();
	look_around();
}

static void replace_renewed(void)
{
	replace(renewed, SOCK_STREAM);
}

/* A new set gets the number of one that is just being forgotten, while another socket moves. The
 * socket in the set moves before the search for sets begins. */
static void renew(void)
{
	CHECK_EQ(new_set(), renewed_set);
	CHECK_EQ(control(renewed_set, EPOLL_CTL_ADD, renewed, EPOLLIN, 4), 0);
	look_around();
	before_list = replace_renewed;
}

static void test_renewed_set(void)
{
	renewed = socket(AF_INET, SOCK_STREAM, 0);
	forget_closed();
	renewed_set = new_set();
	close(renewed_set);
	after_table = renew;
	look_around();
	CHECK(!after_table);
	run_once(&before_list); /* not called without /proc */
	check_listener(renewed, renewed_set, 4);
	close(renewed);
	close(beside);
	close(renewed_set);
}

static void replace_beside(void)
{
	replace(beside, SOCK_STREAM);
}

/* Two sockets of a set move at once. The set lives on as a copy, and one of them still searches
 * for it. */
static void test_two_that_look_around(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set, copy;

	forget_closed();
	set = new_set();
	copy = dup(set);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 5), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, beside, EPOLLIN, 6), 0);
	close(set);
	before_list = replace_beside;
	replace(fd, SOCK_STREAM);
	CHECK(!before_list);
	CHECK_EQ(listen(beside, 1), 0);
	check_listener(fd, copy, 5);
	check_listener(beside, copy, 6);
	close(fd);
	close(beside);
	close(copy);
}

/* While one thread searches the sets, another one has searched for sets and found a copy. */
static void test_looked_around_meanwhile(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), copy, first, set;

	forget_closed();
	copy = open("/dev/null", O_RDONLY); /* a number below the first set's */
	first = new_set();
	set = new_set();
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 7), 0);
	CHECK_EQ(dup2(set, copy), copy);
	close(set);
	number_of_no_file = fd; /* not found in the first set */
	after_no_file = look_around;
	replace(fd, SOCK_STREAM);
	CHECK(!after_no_file);
	check_listener(fd, copy, 7);
	close(fd);
	close(beside);
	close(copy);
	close(first);
}

static void close_set(void)
{
	close(number_of_set);
}

static void close_and_open(void)
{
	close(number_of_set);
	CHECK_EQ(open("/dev/null", O_RDONLY), number_of_set);
}

static int leaving;

static void leave_set(void)
{
	CHECK_EQ(epoll_ctl(number_of_set, EPOLL_CTL_DEL, leaving, NULL), 0);
}

/* The registration is found, and is gone before it can be removed. */
static void check_gone(void (*go)(void))
{
	leaving = socket(AF_INET, SOCK_STREAM, 0);
	number_of_set = new_set();
	CHECK_EQ(control(number_of_set, EPOLL_CTL_ADD, leaving, EPOLLIN, 1), 0);
	before_delete = go;
	CHECK_EQ(detach(leaving), 0);
	CHECK(!before_delete);
	close(leaving);
	close(number_of_set);
}

static void test_gone_meanwhile(void)
{
	check_gone(close_set);
	check_gone(close_and_open);
	check_gone(leave_set);
}

/* A thread records that it has armed a registration only after it has fired and its socket has
 * moved. */
static void test_noted_late(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 8};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 7), 0);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event), 0);
	check_event(set, EPOLLHUP, 8);
	replace(fd, SOCK_STREAM);
	epollrecord_note(set, EPOLL_CTL_MOD, fd, &event);
	check_quiet(set);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 9), 0);
	check_listener(fd, set, 9);
	close(fd);
	close(set);
}

int main(void)
{
	test_needs_kcmp();
	RUN(test_set_from_before); /* before any search */
	RUN(test_copy_closed);
	RUN(test_number_no_longer_in_the_set_twice);
	RUN(test_renewed_set);
	RUN_BY(without_proc, test_renewed_set);
	RUN(test_two_that_look_around);
	RUN(test_looked_around_meanwhile);
	RUN(test_gone_meanwhile);
	RUN(test_noted_late);
	return 0;
}
