/* SPDX-License-Identifier: MIT */
/* test_epoll_shared.c - epoll sets and sockets shared by threads, signal handlers and processes */
#include "support/child.h"
#include "support/listener.h"
#include "support/thread.h"

#include <pthread.h>
#include <signal.h>

#define THREADS      8
#define SERVING      4
#define BINDS_BESIDE 300
#define WORK         20000 /* steps of a loop, enough for two threads to collide */

/* Runs body in a child that inherits the set with a socket in it. */
static void in_child(void (*body)(int fd, int set), int set)
{
	int fd = pair_socket(SOCK_STREAM);
	pid_t pid;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	pid = child_start();
	if (pid == 0) {
		body(fd, set);
		_exit(0);
	}
	child_await(pid);
	close(fd);
	close(set);
}

/* A child keeps the old socket open, and the set has no stale registration of it. */
static void test_forked_holder(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();
	struct child_holder holder;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	holder = child_hold();
	bind_and_check(fd, set);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 6), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	check_quiet(set);
	child_let_go(holder);
	close(fd);
	close(set);
}

static void test_bind_in_child(void)
{
	in_child(bind_and_check, new_set());
}

static int shared_set;

static void *bind_registered(void *number)
{
	int fd = pair_socket(SOCK_DGRAM);
	uint64_t data = (uint64_t)(uintptr_t)number;

	for (int i = 0; i < 20; i++) {
		int copy;

		CHECK_EQ(control(shared_set, EPOLL_CTL_ADD, fd, EPOLLOUT, data), 0);
		CHECK(pair_binds_there(fd, (uint16_t)(3100 + 20 * (int)data + i)));
		CHECK_EQ(control(shared_set, EPOLL_CTL_MOD, fd, EPOLLIN, data), 0);
		CHECK_EQ(control(shared_set, EPOLL_CTL_DEL, fd, 0, 0), 0);
		copy = pair_socket(SOCK_DGRAM);
		CHECK_EQ(dup2(copy, fd), fd);
		close(copy);
	}
	close(fd);
	return NULL;
}

static void test_threads(void)
{
	shared_set = new_set();
	thread_run_all(bind_registered, THREADS);
	check_quiet(shared_set);
	close(shared_set);
}

static int served;
static _Atomic int at_work, met, over;

/* Arms the registration again after handling each event. */
static void *serve_alone(void *unused)
{
	struct epoll_event event;

	while (!over) {
		if (epoll_wait(shared_set, &event, 1, 10) != 1)
			continue;
		met += at_work++ > 0;
		for (volatile int i = 0; i < WORK; i++)
			;
		at_work--;
		control(shared_set, EPOLL_CTL_MOD, served, EPOLLOUT | EPOLLONESHOT, DATA);
	}
	return unused;
}

/* With EPOLLONESHOT only one thread at a time handles the socket, also while others bind. */
static void test_oneshot_beside_binds(void)
{
	pthread_t threads[SERVING];

	at_work = met = over = 0;
	shared_set = new_set();
	served = pair_socket(SOCK_DGRAM);
	CHECK_EQ(pair_bind(served, 3400), 0);
	CHECK_EQ(control(shared_set, EPOLL_CTL_ADD, served, EPOLLOUT | EPOLLONESHOT, DATA), 0);
	for (size_t i = 0; i < SERVING; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, serve_alone, NULL), 0);
	for (int i = 0; i < BINDS_BESIDE; i++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_EQ(pair_bind(fd, (uint16_t)(3401 + i % 100)), 0);
		close(fd);
	}
	over = 1;
	for (size_t i = 0; i < SERVING; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(met, 0);
	close(served);
	close(shared_set);
}

/* One thread uses sets and sockets while another one forks: no child may hang. */
static void test_fork_beside_thread(void)
{
	pthread_t thread;

	shared_set = new_set();
	CHECK_EQ(pthread_create(&thread, NULL, bind_registered, (void *)(uintptr_t)20), 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = child_start();

		if (pid == 0) {
			int fd = pair_socket(SOCK_DGRAM), set = new_set();

			alarm(20);
			CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT, DATA), 0);
			CHECK_EQ(pair_bind(fd, 3900), 0);
			check_event(set, EPOLLOUT, DATA);
			syscall(SYS_exit_group, 0); /* TSan reports lost threads */
		}
		child_await(pid);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(shared_set);
}

static void bind_in_handler(int signal_number)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)signal_number;
	if (control(shared_set, EPOLL_CTL_ADD, fd, EPOLLOUT, DATA) < 0 || pair_bind(fd, 3901) < 0 ||
	    !pair_is_there(fd) || control(shared_set, EPOLL_CTL_DEL, fd, 0, 0) < 0)
		_exit(99);
	close(fd);
}

static void test_signal_handler(void)
{
	struct sigaction action = {.sa_handler = bind_in_handler, .sa_flags = SA_RESTART};
	int fd = pair_socket(SOCK_DGRAM);

	shared_set = new_set();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(control(shared_set, EPOLL_CTL_ADD, fd, EPOLLOUT, 1), 0);
		raise(SIGUSR1);
		CHECK_EQ(control(shared_set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	}
	close(fd);
	close(shared_set);
}

/* The part of test_inherited() after exec. */
static void inherited(int fd, int set)
{
	bind_and_check(fd, set);
	exit(0);
}

static const char *self;

static void exec_inherited(int fd, int set)
{
	char fd_text[16], set_text[16];

	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(set_text, sizeof(set_text), "%d", set);
	test_exec(self, fd_text, set_text);
}

static void test_inherited(void)
{
	in_child(exec_inherited, epoll_create1(0));
}

int main(int argc, char **argv)
{
	if (argc == 3)
		inherited(atoi(argv[1]), atoi(argv[2]));
	self = argv[0];
	RUN(test_forked_holder);
	RUN(test_bind_in_child);
	RUN(test_threads);
	RUN(test_oneshot_beside_binds);
	RUN(test_fork_beside_thread);
	RUN(test_signal_handler);
	RUN(test_inherited);
	return 0;
}
