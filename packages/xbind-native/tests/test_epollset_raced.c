/* SPDX-License-Identifier: MIT */
/* What another thread does while registrations and copies follow a socket. Without hooks. */
#include "support/no_proc.h"
#include "support/replace.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>

/*
 * Each of these is run once, as another thread might do it: right after kcmp(2) has found another
 * file under the number, was asked about tables of descriptors, or has found nothing under
 * number_of_no_file; before getdents64(2), by which the library looks around for sets; and before a
 * registration is taken out of number_of_set.
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

/* Nobody has looked around when the library was loaded: it does at the first move. */
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
	check_follows(last, fd);
	close(fd);
	close(copy);
	close(last);
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

static void replace_renewed(void)
{
	replace(renewed, SOCK_STREAM);
}

/*
 * A set has the number of one that is being forgotten, and meanwhile another socket moves. The one
 * that is in the set moves before who has forgotten it looks around.
 */
static void renew(void)
{
	CHECK_EQ(new_set(), renewed_set);
	CHECK_EQ(control(renewed_set, EPOLL_CTL_ADD, renewed, EPOLLIN, 4), 0);
	look_for(beside);
	before_list = replace_renewed;
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
	run_once(&before_list); /* nothing is listed where there is no /proc */
	check_listener(renewed, renewed_set, 4);
	close(renewed);
	close(beside);
	close(renewed_set);
}

static void test_renewed_set_without_proc(void)
{
	without_proc(test_renewed_set);
}

static void replace_beside(void)
{
	replace(beside, SOCK_STREAM);
}

/* Two sockets move, in a set that lives on as a copy for which one of the two is still looking. */
static void test_two_that_look_around(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set, copy;

	beside = socket(AF_INET, SOCK_STREAM, 0);
	look_for(beside); /* what the tests before have closed is forgotten */
	look_for(beside);
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

static void look_beside(void)
{
	look_for(beside);
}

/* While one looks into the sets another one has looked around, and found a copy. */
static void test_looked_around_meanwhile(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), copy, first, set;

	beside = socket(AF_INET, SOCK_STREAM, 0);
	look_for(beside); /* what the tests before have closed is forgotten */
	look_for(beside);
	copy = open("/dev/null", O_RDONLY); /* in front of the set that is looked into first */
	first = new_set();
	set = new_set();
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 7), 0);
	CHECK_EQ(dup2(set, copy), copy);
	close(set);
	number_of_no_file = fd; /* in the first set */
	after_no_file = look_beside;
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

/* It is found in a set, and then there is nothing to take out any more. */
static void check_gone(void (*go)(void))
{
	struct sys_identity identity;
	struct epollset_move move;

	leaving = socket(AF_INET, SOCK_STREAM, 0);
	number_of_set = new_set();
	CHECK_EQ(control(number_of_set, EPOLL_CTL_ADD, leaving, EPOLLIN, 1), 0);
	CHECK_EQ(sys_identify(leaving, &identity), 0);
	before_delete = go;
	CHECK_EQ(epollset_detach(leaving, &identity, &move), 0);
	CHECK(!before_delete);
	CHECK_EQ((int)move.count, 0);
	close(leaving);
	close(number_of_set);
}

static void test_gone_meanwhile(void)
{
	check_gone(close_set);
	check_gone(close_and_open);
	check_gone(leave_set);
}

/* A thread has armed it, and comes to note that when it has fired and is no longer in the set. */
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
	RUN(test_set_from_before); /* first */
	RUN(test_copy_closed);
	RUN(test_number_no_longer_in_the_set_twice);
	RUN(test_renewed_set);
	if (geteuid() == 0)
		RUN(test_renewed_set_without_proc);
	RUN(test_two_that_look_around);
	RUN(test_looked_around_meanwhile);
	RUN(test_gone_meanwhile);
	RUN(test_noted_late);
	return 0;
}
