/* SPDX-License-Identifier: MIT */
/*
 * test_stopped_epoll.c - registrations made while another thread is stopped in bind or epoll_ctl
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/watched.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#define LOOKED_AT_FDS 64   /* descriptors that are checked */
#define HALTED_MS     3000 /* milliseconds; longest wait of a signal handler */

static int other_set;

static bool is_port_open(void)
{
	for (int fd = 0; fd < LOOKED_AT_FDS; fd++) {
		struct sockaddr_in name = {0};
		socklen_t len = sizeof(name);

		if (getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
		    name.sin_family == AF_INET && ntohs(name.sin_port) == watched.port)
			return true;
	}
	return false;
}

/* Once the new socket is bound, another one takes its number and is registered by a system call
 * that does not wait for the stopped thread. */
static void register_another_late(void)
{
	struct epoll_event event = {.events = EPOLLOUT};

	watched.is_early = pair_preloaded() && !is_port_open();
	if (watched.is_early)
		return;
	put_consume(pair_socket(SOCK_DGRAM), watched.fd);
	CHECK_EQ(syscall(SYS_epoll_ctl, other_set, EPOLL_CTL_ADD, watched.fd, &event), 0);
}

/* The other socket stays in its set. */
static void test_registered_in_place(void)
{
	other_set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_DGRAM);
	run_watched_or_after(bind_watched, SYS_getsockopt, IPPROTO_IP, register_another_late);
	CHECK(is_ready(other_set));
}

/* Another thread that calls epoll_ctl(2). */
static struct {
	pthread_t thread;
	_Atomic int tid, is_over;
	int operation;
	uint32_t events;
} control;

static void *run_control(void *unused)
{
	control.tid = (int)syscall(SYS_gettid);
	control_watched(control.operation, control.events);
	control.is_over = 1;
	return unused;
}

/* Is that thread running, rather than waiting for the bind or over? */
static bool control_runs(void)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", control.tid);
	stat = fopen(path, "re");
	if (!stat)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(stat);
	return state == 'R' || state == 'D';
}

/* The call has reached the kernel when the unconnected socket reports EPOLLHUP, and the library
 * has recorded it when the thread sleeps. */
static void start_control(void)
{
	struct epoll_event event;

	CHECK_EQ(pthread_create(&control.thread, NULL, run_control, NULL), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, -1), 1);
	while (control_runs())
		poll(NULL, 0, 1);
}

/* Does not wait for the call to end: it may be waiting for the stopped thread. */
static void start_beside(void)
{
	CHECK_EQ(pthread_create(&control.thread, NULL, run_control, NULL), 0);
	while (!control.tid || control_runs())
		poll(NULL, 0, 1);
}

/* Runs the call while a thread that binds the socket is stopped in the given system call. */
static void run_controlled(int operation, uint32_t events, void (*start)(void), long call,
                           unsigned argument)
{
	control.operation = operation;
	control.events = events;
	run_watched_or_after(bind_watched, call, argument, start);
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
}

/* A fired EPOLLONESHOT is armed after the library has seen that it had fired. */
static void test_armed_meanwhile(void)
{
	make_fired();
	run_controlled(EPOLL_CTL_MOD, EPOLLIN, start_beside, SYS_epoll_ctl, EPOLL_CTL_DEL);
	CHECK(is_ready(watched.set));
}

/* An EPOLLONESHOT that is registered during the bind fires exactly once. */
static void test_fired_meanwhile(void)
{
	make_watched();
	run_controlled(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, start_control, SYS_shutdown, SHUT_WR);
	CHECK(!is_ready(watched.set));
	control_watched(EPOLL_CTL_MOD, EPOLLIN);
	CHECK(is_ready(watched.set));
}

static void arm_watched(void)
{
	control_watched(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
}

/* Arms an EPOLLONESHOT that had fired before its socket moved, and acts in the middle of that. */
static void arm_fired(void (*arm)(void), void (*meanwhile)(void))
{
	make_fired();
	bind_watched();
	run_watched_or_after(arm, SYS_epoll_ctl, EPOLL_CTL_ADD, meanwhile);
}

static void test_armed_by_two(void)
{
	control.operation = EPOLL_CTL_MOD;
	control.events = EPOLLIN;
	arm_fired(arm_watched, start_beside);
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
	CHECK(is_ready(watched.set));
}

#ifndef __SANITIZE_THREAD__ /* which delays signals until the call returns */
static struct {
	pthread_t thread;
	_Atomic int had_to_wait; /* 1 no, 2 yes, 0 unknown yet */
} halted;

/* Stops this thread, as a garbage collector does, until another one has finished its call. */
static void wait_for_control(int number)
{
	int steps = 0;

	(void)number;
	while (!control.is_over && steps < HALTED_MS)
		steps += poll(NULL, 0, 1) == 0;
	halted.had_to_wait = control.is_over ? 1 : 2;
}

static void arm_halted(void)
{
	halted.thread = pthread_self();
	arm_watched();
	while (!halted.had_to_wait)
		poll(NULL, 0, 1);
}

static void halt(void)
{
	if (pair_preloaded())
		CHECK_EQ(pthread_kill(halted.thread, SIGUSR1), 0);
	start_beside();
}

/* A signal handler in the arming thread waits for another thread that arms the same
 * registration. */
static void test_armed_behind_handler(void)
{
	struct sigaction action = {.sa_handler = wait_for_control, .sa_flags = SA_RESTART};

	halted.had_to_wait = !pair_preloaded();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	control.operation = EPOLL_CTL_MOD;
	control.events = EPOLLIN;
	arm_fired(arm_halted, halt);
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
	CHECK_EQ(halted.had_to_wait, 1);
}
#endif

static void arm_in_child(void)
{
	child_run(arm_watched);
}

/* A forked child, which shares the set, arms it as well. */
static void test_armed_by_child(void)
{
	arm_fired(arm_watched, arm_in_child);
	CHECK(is_ready(watched.set));
}

/* A socket is registered just before the new one takes its number. A child keeps the old socket
 * open, which must be in no set then. */
static void test_registered_at_exchange(void)
{
	struct child_holder holder;

	make_watched();
	holder = child_hold();
	run_controlled(EPOLL_CTL_ADD, EPOLLIN, start_beside, CALL_FCNTL, F_GETFD);
	CHECK_EQ(listen(watched.fd, 1), 0);
	CHECK(!is_ready(watched.set));
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_DEL, watched.fd, NULL), 0);
	child_let_go(holder);
}

static void register_watched(void)
{
	control_watched(EPOLL_CTL_ADD, EPOLLIN);
}

/* The library learns of a set when a thread registers a socket, which is bound meanwhile. */
static void test_registered_meanwhile(void)
{
	int before = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(before, 3701), 0); /* the search for sets is over */
	watched.fd = pair_socket(SOCK_STREAM);
	watched.set = libc_unseen_set();
	run_watched_or_after(register_watched, SYS_getpid, 0, bind_watched);
	CHECK(is_ready(watched.set));
}

int main(void)
{
	if (!forbid_works())
		test_skip("the emulator's own calls would be filtered");
	RUN_BY(child_run, test_registered_in_place);
	RUN_BY(child_run, test_armed_meanwhile);
	RUN_BY(child_run, test_fired_meanwhile);
	RUN_BY(child_run, test_armed_by_two);
#ifndef __SANITIZE_THREAD__
	RUN_BY(child_run, test_armed_behind_handler);
#endif
	RUN_BY(child_run, test_armed_by_child);
	RUN_BY(child_run, test_registered_at_exchange);
	RUN_BY(child_run, test_registered_meanwhile);
	return 0;
}
