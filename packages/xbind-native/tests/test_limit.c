/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c - bind after RLIMIT_NOFILE was lowered below descriptors that are open
 *
 * Each case is a child process, which may lower its hard limit as well. Ports 3000 to 3999 are
 * listed.
 */
#include "support/bpf.h"
#include "support/child.h"
#include "support/forbid.h"
#include "support/limit.h"
#include "support/no_proc.h"
#include "support/pair.h"
#include "support/thread.h"

#include <fcntl.h>
#include <sys/epoll.h>

#define HIGH  200 /* a number above the limit */
#define LIMIT 100

static int socket_at(int number)
{
	int fd = pair_socket(SOCK_STREAM);
	int high = fcntl(fd, F_DUPFD, number);

	CHECK_EQ(high, number);
	close(fd);
	return high;
}

/* The socket and its copy have moved, and the limit is as the program has set it. */
static void test_above(void)
{
	int fd = socket_at(HIGH), copy = fcntl(fd, F_DUPFD, HIGH + 10);
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 5};

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, copy, &event), 0);
	limit_fds(LIMIT);
	CHECK(pair_binds_there(fd, 3030));
	CHECK_EQ(pair_port(copy), 3030);
	CHECK_EQ(epoll_wait(set, &event, 1, 0), 1);
	CHECK_EQ(limit_fds(LIMIT), LIMIT);
}

/* The library's copy of a BPF program is below the limit. */
static void test_filtered(void)
{
	int fd = pair_socket(SOCK_STREAM), program = load_program();

	if (program < 0)
		return;
	limit_fds(LIMIT);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_ATTACH_BPF, program), 0);
	close(program);
	CHECK(pair_binds_there(fd, 3033));
}

/* Under a hard limit the number cannot be taken: the bind fails and nothing is lost. */
static void test_far_above(void)
{
	int fd = socket_at(HIGH), reference = pair_socket(SOCK_STREAM);

	limit_fds_for_good(LIMIT);
	if (pair_preloaded()) {
		CHECK_FAILS(pair_bind(fd, 3032), EMFILE);
		CHECK(pair_is_beside(fd, reference));
		CHECK_EQ(pair_port(fd), 0);
	} else {
		CHECK_EQ(pair_bind(fd, 3032), 0);
	}
}

/* Each thread raises the limit for a moment. None leaves it raised, takes a raised limit for the
 * program's, or locks the others out for longer, as the first one, which lives on, would. */
#define THREADS 8
#define EACH    40  /* sockets of each thread */
#define FIRST   300 /* descriptor number of the first socket */

static void *bind_many(void *number)
{
	const int first = (int)(uintptr_t)number * EACH;

	for (int i = first; i < first + EACH; i++)
		CHECK_EQ(pair_bind(FIRST + i, (uint16_t)(3100 + i)), 0);
	return NULL;
}

static void test_threads(void)
{
	for (int i = 0; i < THREADS * EACH; i++)
		socket_at(FIRST + i);
	socket_at(HIGH);
	limit_fds(LIMIT);
	CHECK_EQ(pair_bind(HIGH, 3034), 0);
	thread_run_all(bind_many, THREADS);
	CHECK_EQ(limit_fds(LIMIT), LIMIT);
}

/* Where kcmp(2) is refused, only /proc tells of registrations made behind the library's back or
 * before exec. There are just as many free descriptors as asking the server takes. */
static void test_none_to_spare(void)
{
	int fd = pair_socket(SOCK_STREAM), set = epoll_create1(EPOLL_CLOEXEC), next = dup(fd);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
	rlim_t before;

	CHECK_EQ(close(next), 0);
	CHECK_EQ(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event), 0);
	forbid(SYS_kcmp);
	before = limit_fds((rlim_t)next + 2);
	CHECK_EQ(pair_bind(fd, 3036), 0);
	limit_fds(before);
	CHECK(pair_is_there(fd));
	event.data.u64 = 0;
	CHECK_EQ(epoll_wait(set, &event, 1, 0), 1);
	CHECK_EQ(event.data.u64, 7);
}

/* poll(2) takes no entry under a limit of 0. Its error does not say that the socket is shut for
 * reading, too. */
static void test_shut_at_limit(void)
{
	int fd = pair_socket(SOCK_DGRAM);
	const rlim_t before = limit_fds(0);

	CHECK_FAILS(shutdown(fd, SHUT_WR), ENOTCONN); /* which has taken effect */
	limit_fds(before);
	CHECK_EQ(pair_bind(fd, 3040), 0);
	CHECK_FAILS(pair_send(fd, 3040), EPIPE);
}

int main(void)
{
	RUN_BY(child_run, test_above);
	RUN_BY(without_proc, test_above);
	RUN_BY(child_run, test_filtered);
	RUN_BY(child_run, test_far_above);
	RUN_BY(child_run, test_threads);
	RUN_BY(forbid_run, test_none_to_spare);
	RUN_BY(child_run, test_shut_at_limit);
	return 0;
}
