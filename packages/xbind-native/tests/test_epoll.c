/* SPDX-License-Identifier: MIT */
/* test_epoll.c - what was registered in epoll sets before bind goes on working after it */
#include "support/pair.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SERVER_PORT 3000
#define CLIENT_PORT 3001 /* listed too: so the client is where the server is */
#define DATA        UINT64_C(0xfedcba9876543210)
#define THREADS     8

static int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	CHECK(set >= 0);
	return set;
}

static int control(int set, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(set, operation, fd, &event);
}

static void check_event(int set, uint32_t events, uint64_t data)
{
	struct epoll_event found[4];

	CHECK_EQ(epoll_wait(set, found, 4, 0), 1);
	CHECK_EQ(found[0].events, events);
	CHECK_EQ(found[0].data.u64, data);
}

static void check_quiet(int set)
{
	struct epoll_event found;

	CHECK_EQ(epoll_wait(set, &found, 1, 0), 0);
}

static int client_of(uint16_t port)
{
	struct sockaddr_in addr = pair_addr(port);
	int fd = pair_socket(SOCK_STREAM);
	int on = 1;

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(pair_bind(fd, CLIENT_PORT), 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Resets instead of waiting in TIME_WAIT, so that the ports can be used again. */
static void close_now(int fd)
{
	struct linger now = {.l_onoff = 1};

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(fd);
}

/* Listens; the set has one event when somebody connects, and none before and after. */
static void check_listener(int fd, int set, uint64_t data)
{
	int client, conn;

	CHECK(pair_is_there(fd));
	CHECK_EQ(listen(fd, 8), 0);
	check_quiet(set);
	client = client_of(pair_port(fd));
	check_event(set, EPOLLIN, data);
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	CHECK(conn >= 0);
	close_now(client);
	close_now(conn);
	check_quiet(set);
}

static void test_registration(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	errno = 77;
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(errno, 77);
	check_event(set, EPOLLHUP, DATA); /* bound, not listening */
	check_listener(fd, set, DATA);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 0), -1);
	CHECK_EQ(errno, EEXIST);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP, 7), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), -1);
	CHECK_EQ(errno, ENOENT);
	close(fd);
	close(set);
}

static void test_epoll_create(void)
{
	int fd = pair_socket(SOCK_STREAM), set = epoll_create(1);

	CHECK(set >= 0);
	CHECK_EQ(fcntl(set, F_GETFD), 0);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, set, DATA);
	close(fd);
	close(set);
	CHECK_EQ(epoll_create(0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(epoll_create1(-1), -1);
	CHECK_EQ(errno, EINVAL);
}

/* A set of libc, filled by a system call that the library does not see. */
static void test_unseen_registration(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = DATA};
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_EQ(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, set, DATA);
	close(fd);
	close(set);
}

/* epoll_ctl fails as ever. */
static void test_arguments(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(control(-1, EPOLL_CTL_ADD, fd, EPOLLIN, 0), -1);
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, -1, EPOLLIN, 0), -1);
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(control(fd, EPOLL_CTL_ADD, set, EPOLLIN, 0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(control(set, 99, fd, EPOLLIN, 0), -1);
	CHECK_EQ(errno, EINVAL);
	errno = 77;
	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, 0), 0);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0);
	CHECK_EQ(errno, 77);
	close(fd);
	close(set);
}

static void test_several_sets(void)
{
	int fd = pair_socket(SOCK_STREAM), sets[20], client;

	for (int i = 0; i < 20; i++) {
		sets[i] = new_set();
		CHECK_EQ(control(sets[i], EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)i), 0);
	}
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK_EQ(listen(fd, 8), 0);
	client = client_of(SERVER_PORT);
	for (int i = 0; i < 20; i++) {
		check_event(sets[i], EPOLLIN, (uint64_t)i);
		close(sets[i]);
	}
	close(fd);
	close_now(client);
}

/* A set that is itself watched by a set. */
static void test_nested_set(void)
{
	int fd = pair_socket(SOCK_STREAM), inner = new_set(), outer = new_set();

	CHECK_EQ(control(inner, EPOLL_CTL_ADD, fd, EPOLLIN, 1), 0);
	CHECK_EQ(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, DATA), 0);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, outer, DATA);
	close(fd);
	close(inner);
	close(outer);
}

/* Two numbers of one set. */
static void test_copied_set(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), copy = dup(set);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	close(set);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, copy, DATA);
	close(fd);
	close(copy);
}

static void check_flags(uint32_t flags)
{
	int fd = pair_socket(SOCK_DGRAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | flags, DATA), 0);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	CHECK(pair_is_there(fd));
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

static void test_fired_oneshot(void)
{
	int fd = pair_socket(SOCK_DGRAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT, 1), 0);
	check_event(set, EPOLLOUT, 1);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(set);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, 2), 0);
	check_event(set, EPOLLOUT, 2);
	close(fd);
	close(set);
}

/* A stream socket hangs up until it listens: an EPOLLONESHOT that has fired tells nothing of it. */
static void test_fired_oneshot_of_stream(void)
{
	int fd = pair_socket(SOCK_STREAM), copy = dup(fd), set = new_set();
	const uint32_t once = EPOLLIN | EPOLLONESHOT;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, once, 1), 0);
	check_event(set, EPOLLHUP, 1);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, copy, once | EPOLLET, 2), 0);
	check_event(set, EPOLLHUP, 2);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_quiet(set);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, once | EPOLLEXCLUSIVE, 3), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, once, 3), 0);
	check_event(set, EPOLLHUP, 3);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 4), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, copy, 0, 0), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, copy, 0, 0), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, copy, once, 5), -1);
	CHECK_EQ(errno, ENOENT);
	check_listener(fd, set, 4);
	close(fd);
	close(copy);
	close(set);
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
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_EQ(fcntl(top, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(77, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), -1);
	CHECK_EQ(errno, EINVAL);
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

/* Runs a body in a child, which exits 0. */
static void in_child(void (*body)(int fd, int set), int fd, int set)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body(fd, set);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* The old socket stays with a child that does nothing: no ghost of it is in the set. */
static void test_forked_holder(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set(), pipe_fds[2];
	char byte;
	pid_t pid;

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) != 0);
	}
	close(pipe_fds[0]);
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, set, DATA);
	CHECK_EQ(control(set, EPOLL_CTL_MOD, fd, EPOLLIN, 6), 0);
	CHECK_EQ(control(set, EPOLL_CTL_DEL, fd, 0, 0), 0);
	check_quiet(set);
	close(pipe_fds[1]);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	close(fd);
	close(set);
}

static void bind_and_check(int fd, int set)
{
	CHECK_EQ(pair_bind(fd, SERVER_PORT), 0);
	check_listener(fd, set, DATA);
}

static void test_bind_in_child(void)
{
	int fd = pair_socket(SOCK_STREAM), set = new_set();

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	fflush(stdout);
	in_child(bind_and_check, fd, set);
	close(fd);
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
	CHECK_EQ(pair_bind(fd, SERVER_PORT), -1);
	CHECK_EQ(errno, EADDRINUSE);
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

/* Others' registrations are not touched, nor those of an unlisted port. */
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

static int shared_set;

static void *bind_registered(void *number)
{
	int fd = pair_socket(SOCK_DGRAM);
	uint64_t data = (uint64_t)(uintptr_t)number;

	for (int i = 0; i < 20; i++) {
		int copy;

		CHECK_EQ(control(shared_set, EPOLL_CTL_ADD, fd, EPOLLOUT, data), 0);
		CHECK_EQ(pair_bind(fd, (uint16_t)(3100 + 20 * (int)data + i)), 0);
		CHECK(pair_is_there(fd));
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
	pthread_t threads[THREADS];

	shared_set = new_set();
	for (size_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, bind_registered, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	check_quiet(shared_set);
	close(shared_set);
}

/* Sets and sockets in one thread while another one forks: a child never hangs. */
static void test_fork_beside_thread(void)
{
	pthread_t thread;

	shared_set = new_set();
	fflush(stdout);
	CHECK_EQ(pthread_create(&thread, NULL, bind_registered, (void *)(uintptr_t)20), 0);
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			int fd = pair_socket(SOCK_DGRAM), set = new_set();

			alarm(20);
			CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT, DATA), 0);
			CHECK_EQ(pair_bind(fd, 3900), 0);
			check_event(set, EPOLLOUT, DATA);
			syscall(SYS_exit_group, 0); /* TSan would miss the thread */
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
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

/* The part of test_inherited behind exec. */
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
	int fd = pair_socket(SOCK_STREAM), set = epoll_create1(0);

	CHECK_EQ(control(set, EPOLL_CTL_ADD, fd, EPOLLIN, DATA), 0);
	fflush(stdout);
	in_child(exec_inherited, fd, set);
	close(fd);
	close(set);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		inherited(atoi(argv[1]), atoi(argv[2]));
	self = argv[0];
	RUN(test_registration);
	RUN(test_epoll_create);
	RUN(test_unseen_registration);
	RUN(test_arguments);
	RUN(test_several_sets);
	RUN(test_nested_set);
	RUN(test_copied_set);
	RUN(test_flags);
	RUN(test_fired_oneshot);
	RUN(test_fired_oneshot_of_stream);
	RUN(test_copies);
	RUN(test_forked_holder);
	RUN(test_bind_in_child);
	RUN(test_failed_bind);
	RUN(test_unlisted);
	RUN(test_threads);
	RUN(test_fork_beside_thread);
	RUN(test_signal_handler);
	RUN(test_inherited);
	return 0;
}
