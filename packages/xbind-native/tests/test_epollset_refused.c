/* SPDX-License-Identifier: MIT */
/* Registrations in epoll sets where somebody forbids to look, or to take them out. Without hooks.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/replace.h"

#include <limits.h>
#include <sys/resource.h>

static int detach(int fd, struct epollset_move *ret)
{
	struct sys_identity identity;

	CHECK_EQ(sys_identify(fd, &identity), 0);
	return epollset_detach(fd, &identity, ret);
}

/* Without a descriptor /proc cannot be asked: what is not on record either stays where it is. */
static void test_no_descriptor_left(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 3};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	struct epollset_move move;
	struct rlimit limit, none;

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	CHECK_EQ(detach(fd, &move), -EMFILE);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_event(set, EPOLLHUP, 3);
	replace(fd, SOCK_STREAM);
	check_listener(fd, set, 3);
	close(fd);
	close(set);
}

static void leave_no_descriptor(void)
{
	const struct rlimit none = {0, 0};

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
}

/* The record alone tells, and the socket that is not on it is in no set as far as can be known. */
static void detach_by_record(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
	int set = new_set();
	struct epollset_move move;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	forbid(SYS_kcmp);
	leave_no_descriptor();
	CHECK_EQ(detach(other, &move), 0);
	CHECK_EQ((int)move.count, 0);
	CHECK_EQ(detach(fd, &move), 0);
	CHECK_EQ((int)move.count, 1);
}

#define GHOSTS 30 /* which of all the files of one number is the first nobody can choose */

/* Other files of the number are in the set, too, and nobody can tell what is registered. */
static void test_among_others(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	struct epollset_move move;

	for (int i = 0; i < GHOSTS; i++) {
		CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
		CHECK(dup(fd) > set);
		close(fd);
		CHECK_EQ(socket(AF_INET, SOCK_STREAM, 0), fd);
	}
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	leave_no_descriptor();
	CHECK_EQ(detach(fd, &move), -EMFILE);
}

/* What has been closed, or is something else by now, needs no look at all. */
static void detach_from_closed(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), closed = new_set(), other = new_set();
	struct epollset_move move;

	CHECK_EQ(dup2(fd, other), other);
	close(closed);
	leave_no_descriptor();
	CHECK_EQ(detach(fd, &move), 0);
	CHECK_EQ((int)move.count, 0);
}

/* The same as without a descriptor, where the system has no room for another open file. */
static void detach_without_room(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 3};
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	struct epollset_move move;

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	forbid_by(SECCOMP_RET_ERRNO | ENFILE, SYS_openat);
	CHECK_EQ(detach(fd, &move), -ENFILE);
	check_event(set, EPOLLHUP, 3);
}

/* It stays where it is, and the program hears of it. */
static void detach_forbidden(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	struct epollset_move move;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	forbid(SYS_epoll_ctl);
	CHECK_EQ(detach(fd, &move), -FORBIDDEN);
	check_event(set, EPOLLHUP, 3);
}

/* Nothing has to be taken out of a set that was closed, whatever is still on record. */
static void detach_nothing_forbidden(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), set = new_set();
	struct epollset_move move;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 3), 0);
	close(set);
	forbid(SYS_epoll_ctl);
	CHECK_EQ(detach(fd, &move), 0);
	CHECK_EQ((int)move.count, 0);
}

static void test_forbidden(void)
{
	if (!forbid_works())
		return;
	child_run(detach_by_record);
	child_run(detach_from_closed);
	child_run(detach_without_room);
	child_run(detach_forbidden);
	child_run(detach_nothing_forbidden);
}

/* The limit of descriptors may be set higher than the numbers that are followed. */
static void test_number_too_high(void)
{
	epollset_know(INT_MAX);
	epollset_new(INT_MAX);
}

int main(void)
{
	test_needs_kcmp();
	RUN(test_no_descriptor_left); /* first: nothing is on record */
	RUN_BY(child_run, test_among_others);
	RUN(test_forbidden);
	RUN(test_number_too_high);
	return 0;
}
