/* SPDX-License-Identifier: MIT */
/*
 * test_lingering.c - a server that never closes its connections holds a program up once, not always
 */
#include "support/child.h"
#include "support/pair.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define ROUNDS         20
#define FORKED_PORT    3901
#define SIGNALLED_PORT 3910
#define LATE_PORT      3920
#define IMPATIENT_MS   990 /* less than a server is given otherwise */
#define TOLD_MS        5000
#define LONGEST_S      10 /* each of them given the longest time would make it 20 */

#ifndef __SANITIZE_THREAD__ /* for which the program's own race is one */
/* While the bind waits for the server. */
static void *close_meanwhile(void *argument)
{
	int fd = *(int *)argument;
	struct timespec soon = {.tv_nsec = 200000000};

	nanosleep(&soon, NULL);
	close(fd);
	CHECK_EQ(pair_socket(SOCK_STREAM), fd);
	return NULL;
}

/* Another thread closes the socket, and the number is another one's at once: nobody binds that. */
static void test_closed_meanwhile(void)
{
	int fd = pair_socket(SOCK_STREAM);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, close_meanwhile, &fd), 0);
	CHECK_EQ(pair_bind(fd, 3900), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pair_port(fd), 0);
	close(fd);
}
#endif

#ifndef __SANITIZE_THREAD__ /* which has its own view of forks */
static void *bind_meanwhile(void *argument)
{
	CHECK_EQ(pair_bind(*(int *)argument, FORKED_PORT), 0);
	return NULL;
}

/* A child that was forked meanwhile, and closes the socket, does not hold the port. */
static void fork_meanwhile(void)
{
	const struct timespec soon = {.tv_nsec = 200000000};
	int fd = pair_socket(SOCK_STREAM), ends[2];
	pthread_t thread;
	char byte;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(pthread_create(&thread, NULL, bind_meanwhile, &fd), 0);
	nanosleep(&soon, NULL);
	if (fork() == 0) {
		close(fd);
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_bind(fd, FORKED_PORT), 0);
}

static void test_forked_meanwhile(void)
{
	child_run(fork_meanwhile);
}

static void *bind_late(void *argument)
{
	nanosleep(&(struct timespec){.tv_nsec = 700000000}, NULL);
	CHECK_EQ(pair_bind(*(int *)argument, LATE_PORT), 0);
	return NULL;
}

/* A datagram that comes meanwhile finds no port: one that a program binds beside another of the
 * same port, to connect it, would take what is the other's. */
static void send_meanwhile(void)
{
	struct sockaddr_in addr = pair_addr(LATE_PORT);
	int fd = pair_socket(SOCK_DGRAM), sender = pair_socket(SOCK_DGRAM), error;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, bind_late, &fd), 0);
	CHECK_EQ(pair_bind(sender, LATE_PORT + 1), 0); /* waits as long, but began before */
	CHECK_EQ(connect(sender, (struct sockaddr *)&addr, sizeof(addr)), 0);
	CHECK_EQ(send(sender, "", 1, 0), 1);
	CHECK_EQ(poll(&(struct pollfd){sender, 0, 0}, 1, TOLD_MS), 1);
	CHECK_EQ(getsockopt(sender, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}), 0);
	CHECK_EQ(error, ECONNREFUSED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pair_port(fd), LATE_PORT);
}

static void test_sent_meanwhile(void)
{
	child_run(send_meanwhile);
}
#endif

#ifndef __SANITIZE_THREAD__ /* which holds signals back */
static const struct timespec moment = {.tv_nsec = 1000000};
static _Atomic int told, told_fd, told_band, told_thread; /* told last: by any thread */

static void be_told(int signal, siginfo_t *info, void *context)
{
	(void)context;
	told_fd = info->si_fd;
	told_band = (int)info->si_band;
	told_thread = (int)syscall(SYS_gettid);
	told = signal;
}

/* A datagram that finds no port leaves an error behind. */
static void *send_when_open(void *argument)
{
	struct sockaddr_in addr = pair_addr(SIGNALLED_PORT);
	int sender = *(int *)argument, error = 0;

	CHECK_EQ(connect(sender, (struct sockaddr *)&addr, sizeof(addr)), 0);
	do {
		if (error)
			nanosleep(&moment, NULL);
		/* The error of the one before may come that late. */
		error = send(sender, "", 1, 0) < 0 ? errno : 0;
		CHECK(error == 0 || error == ECONNREFUSED);
		if (!error)
			getsockopt(sender, SOL_SOCKET, SO_ERROR, &error,
			           &(socklen_t){sizeof(error)});
	} while (error);
	return NULL;
}

/* A datagram that comes as soon as the port is open sends the signal that tells of it. */
static void test_signalled(struct f_owner_ex owner, int signal)
{
	const struct sigaction action = {.sa_sigaction = be_told, .sa_flags = SA_SIGINFO};
	const int expected = owner.pid == 0 ? 0 : signal ? signal : SIGIO;
	int fd = pair_socket(SOCK_DGRAM), sender = pair_socket(SOCK_DGRAM);
	pthread_t thread;

	told = told_fd = told_band = 0;
	CHECK_EQ(sigaction(signal ? signal : SIGIO, &action, NULL), 0);
	CHECK_EQ(pair_bind(sender, SIGNALLED_PORT + 1), 0);
	CHECK_EQ(fcntl(fd, F_SETOWN_EX, &owner), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, signal), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK), 0);
	CHECK_EQ(pthread_create(&thread, NULL, send_when_open, &sender), 0);
	CHECK_EQ(pair_bind(fd, SIGNALLED_PORT), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	/* The error may come after the look for it, and then there was no other datagram. */
	if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0) == 0)
		send_when_open(&sender);
	for (int i = 0; expected && !told && i < TOLD_MS; i++) /* another thread, perhaps */
		nanosleep(&moment, NULL);
	CHECK_EQ(told, expected);
	/* A group is told by kill(2) alone, and an emulator leaves the number out. */
	if (owner.type != F_OWNER_PGRP && !getenv("TEST_EMULATOR")) {
		CHECK_EQ(told_fd, signal ? fd : 0);
		CHECK_EQ(told_band, signal ? POLLIN | POLLRDNORM : 0);
	}
	close(fd);
	close(sender);
}

static _Atomic pid_t waiting;

static void *wait_to_be_told(void *unused)
{
	waiting = (pid_t)syscall(SYS_gettid);
	while (!told)
		nanosleep(&moment, NULL);
	return unused;
}

/* One thread is told, and no other one. */
static void test_signalled_thread(void)
{
	pthread_t thread;

	told = 0;
	CHECK_EQ(pthread_create(&thread, NULL, wait_to_be_told, NULL), 0);
	while (!waiting)
		nanosleep(&moment, NULL);
	test_signalled((struct f_owner_ex){F_OWNER_TID, waiting}, SIGRTMIN);
	CHECK_EQ(told_thread, waiting);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void test_signals(void)
{
	test_signalled((struct f_owner_ex){F_OWNER_PID, getpid()}, 0);
	test_signalled((struct f_owner_ex){F_OWNER_PID, getpid()}, SIGRTMIN);
	test_signalled((struct f_owner_ex){F_OWNER_TID, (pid_t)syscall(SYS_gettid)}, SIGRTMIN);
	test_signalled((struct f_owner_ex){F_OWNER_PGRP, getpgrp()}, SIGURG);
	test_signalled((struct f_owner_ex){F_OWNER_PGRP, 0}, SIGURG); /* nobody, as a group */
	test_signalled_thread();
}
#endif

static void test_lingering(void)
{
	struct timespec begun, ended;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (uint16_t round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK_EQ(pair_bind(fd, (uint16_t)(3000 + round)), 0);
		CHECK(pair_is_there(fd));
		close(fd);
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	CHECK(ended.tv_sec - begun.tv_sec < LONGEST_S);
}

/* Nor any longer than XSOCKET_TIMEOUT_MS. */
static void test_impatient(void)
{
	struct timespec begun, ended;
	int fd = pair_socket(SOCK_STREAM);

	clock_gettime(CLOCK_MONOTONIC, &begun);
	CHECK_EQ(pair_bind(fd, 3000), 0);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	CHECK(pair_is_there(fd));
	CHECK((ended.tv_sec - begun.tv_sec) * 1000 + (ended.tv_nsec - begun.tv_nsec) / 1000000 <
	      IMPATIENT_MS);
	close(fd);
}

int main(void)
{
	if (getenv("XSOCKET_TIMEOUT_MS")) {
		RUN(test_impatient);
		return 0;
	}
#ifndef __SANITIZE_THREAD__
	RUN(test_forked_meanwhile);
	RUN(test_sent_meanwhile);
	RUN(test_closed_meanwhile); /* the first one waits long */
	RUN(test_signals);
#endif
	RUN(test_lingering);
	return 0;
}
