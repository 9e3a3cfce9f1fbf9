/* SPDX-License-Identifier: MIT */
/* test_epollset_refused.c - finding or removing registrations is forbidden, without hooks */
#include "support/child.h"
#include "support/forbid.h"
#include "support/limit.h"
#include "support/replace.h"

#include <limits.h>

/* Without a free descriptor /proc cannot be read: a registration not on record stays, and the
 * call fails. */
static void test_no_descriptor_left(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 3};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	rlim_t before;

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	before = limit_fds(0);
	CHECK_EQ(detach(fd), -EMFILE);
	limit_fds(before);
	check_event(set, EPOLLHUP, 3);
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 3);
	close(fd);
	close(set);
}

/* Only the record can tell: a socket that is not on it counts as in no set. */
static void test_by_record(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
	int set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	forbid(SYS_kcmp);
	limit_fds_for_good(0);
	CHECK_EQ(detach(other), 0);
	CHECK_EQ(detach(fd), 1);
}

/* kcmp(2) is refused with the error that it gives for a number which is no set. */
static void test_by_proc(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	forbid_by(SECCOMP_RET_ERRNO | EINVAL, SYS_kcmp);
	CHECK_EQ(detach(fd), 1);
}

#define GHOSTS 30 /* earlier files of the number; the kernel seldom finds the last one first */

/* The set has other files of the same number, and nothing tells how this one is registered. */
static void test_among_others(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();

	for (int i = 0; i < GHOSTS; i++) {
		CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
		CHECK(dup(fd) > set);
		close(fd);
		CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), fd);
	}
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	limit_fds_for_good(0);
	CHECK_EQ(detach(fd), -EMFILE);
}

/* A set that was closed, or whose number is another file's by now, need not be searched. */
static void test_closed_set(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), closed = new_set(), other = new_set();

	CHECK_EQ(dup2(fd, other), other);
	close(closed);
	limit_fds_for_good(0);
	CHECK_EQ(detach(fd), 0);
}

static void check_refused(int error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 3};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	forbid_by(SECCOMP_RET_ERRNO | (unsigned)error, SYS_openat);
	CHECK_EQ(detach(fd), -error);
	check_event(set, EPOLLHUP, 3);
}

/* The same where the system's table of open files is full. */
static void test_no_room(void)
{
	check_refused(ENFILE);
}

static void test_no_memory(void)
{
	check_refused(ENOMEM);
}

/* The registration stays, and the program gets the error. */
static void test_forbidden(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	forbid(SYS_epoll_ctl);
	CHECK_EQ(detach(fd), -FORBIDDEN);
	check_event(set, EPOLLHUP, 3);
}

/* A closed set has no registrations, whatever the record says. */
static void test_nothing_forbidden(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	close(set);
	forbid(SYS_epoll_ctl);
	CHECK_EQ(detach(fd), 0);
}

/* Descriptor numbers may be higher than those that the library tracks. */
static void test_number_too_high(void)
{
	epollset_know(INT_MAX);
	epollset_new(INT_MAX);
}

int main(void)
{
	test_needs_kcmp();
	RUN(test_no_descriptor_left); /* first, while nothing is on record */
	RUN_BY(child_run, test_among_others);
	RUN_BY(forbid_run, test_by_record);
	RUN_BY(forbid_run, test_by_proc);
	RUN_BY(forbid_run, test_closed_set);
	RUN_BY(forbid_run, test_no_room);
	RUN_BY(forbid_run, test_no_memory);
	RUN_BY(forbid_run, test_forbidden);
	RUN_BY(forbid_run, test_nothing_forbidden);
	RUN(test_number_too_high);
	return 0;
}
