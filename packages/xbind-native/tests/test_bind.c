/* SPDX-License-Identifier: MIT */
/*
 * test_bind.c - what bind does to the socket, with the preload library and without
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>

#define ALIKE_TRIES 20000

#define FRESH_SEGMENT 536 /* bytes: TCP_MAXSEG as long as there is no connection */

/* A connection from one listed port to another. */
static void test_goes_on_working(void)
{
	int listener = pair_socket(SOCK_STREAM), client = pair_socket(SOCK_STREAM), conn;
	char byte = 0;

	CHECK_EQ(pair_bind(listener, 3001), 0);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK_EQ(pair_bind(client, 3002), 0);
	CHECK_EQ(pair_connect(client, 3001), 0);
	conn = accept(listener, NULL, NULL);
	CHECK(conn >= 0);
	for (uint16_t port = 3003; port < 3005; port++) {
		CHECK_FAILS(pair_bind(listener, port), EINVAL);
		CHECK_FAILS(pair_bind(client, port), EINVAL);
		CHECK_FAILS(pair_bind(conn, port), EINVAL);
	}
	CHECK_EQ(send(client, "x", 1, 0), 1);
	CHECK_EQ(recv(conn, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'x');
	CHECK(pair_option(conn, IPPROTO_TCP, TCP_MAXSEG) > FRESH_SEGMENT);
	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
	                    sizeof(struct linger)),
	         0);
	close(conn);
	close(client);
	close(listener);
}

static void test_retry(void)
{
	int holder = pair_socket(SOCK_STREAM), fd = pair_socket(SOCK_STREAM);
	int reference = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_bind(holder, 3005), 0);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_FAILS(pair_bind(fd, 3005), EADDRINUSE);
	CHECK(pair_is_beside(fd, reference));
	CHECK_FAILS(pair_bind(fd, 3005), EADDRINUSE);
	CHECK(pair_binds_there(fd, 3006));
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK_FAILS(pair_bind(fd, 3005), EADDRINUSE);
	CHECK_EQ(pair_bind(fd, NOT_LISTED), 0);
	CHECK(pair_is_beside(fd, reference));
	close(fd);
	close(holder);
	close(reference);
}

/* A descriptor opened with O_PATH names the socket, but is not a copy of it. */
static void test_path(void)
{
	char name[32];
	int fd = pair_socket(SOCK_STREAM), copy, path;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH);
	CHECK(path >= 0);
	copy = dup(fd); /* after path, since nothing is looked for behind the last copy */
	CHECK_EQ(pair_bind(fd, 3019), 0);
	CHECK_EQ(pair_port(copy), 3019);
	CHECK_EQ(fcntl(path, F_GETFL) & O_PATH, O_PATH);
	CHECK_FAILS(listen(path, 1), EBADF);
	close(fd);
	close(copy);
	close(path);
}

/* A seccomp filter answers the same for every file. */
static void test_path_without_cookie(void)
{
	forbid_option_by(ENOPROTOOPT, SOL_SOCKET, SO_COOKIE);
	test_path();
}

static volatile sig_atomic_t reported = -1;

static void report(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	reported = info->si_fd;
}

/* Signal-driven I/O: the signal says that a datagram has come, and on which descriptor. */
static void test_signals(void)
{
	const struct sigaction action = {.sa_sigaction = report, .sa_flags = SA_SIGINFO};
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getpid()}, now = {0};
	int fd = pair_socket(SOCK_DGRAM), sender = pair_socket(SOCK_DGRAM);

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(fcntl(fd, F_SETOWN_EX, &owner), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_ASYNC), 0);
	CHECK_EQ(pair_bind(fd, 3009), 0);
	CHECK_EQ(fcntl(fd, F_GETSIG), SIGUSR1);
	CHECK_EQ(fcntl(fd, F_GETOWN_EX, &now), 0);
	CHECK_EQ(now.pid, getpid());
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
	reported = -1;
	CHECK_EQ(pair_bind(sender, 3010), 0);
	CHECK_EQ(pair_send(sender, 3009), 1);
	for (int tries = 0; reported < 0 && tries < 5000; tries++)
		poll(NULL, 0, 1);
	CHECK_EQ(reported, fd);
	close(fd);
	close(sender);
	signal(SIGUSR1, SIG_DFL);
}

/* A child keeps the old socket open; it must no longer send signals to this process. */
static void test_no_ghost_signal(void)
{
	const struct sigaction action = {.sa_sigaction = report, .sa_flags = SA_SIGINFO};
	int fd = pair_socket(SOCK_STREAM), done[2];
	char byte;
	pid_t child;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(fcntl(fd, F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_ASYNC), 0);
	CHECK_EQ(pipe(done), 0);
	child = child_start();
	if (child == 0) {
		CHECK_EQ(read(done[0], &byte, 1), 1);
		CHECK(!pair_preloaded() || !(fcntl(fd, F_GETFL) & O_ASYNC));
		_exit(0);
	}
	CHECK_EQ(pair_bind(fd, 3033), 0);
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
	CHECK_EQ(write(done[1], "", 1), 1);
	child_await(child);
	close(fd);
	close(done[0]);
	close(done[1]);
	signal(SIGUSR1, SIG_DFL);
}

/* A copied socket that is corked, has a full send buffer, and has lost its port. */
static void test_copy_of_a_full_one(void)
{
	static const char data[4000];
	int fd = pair_socket(SOCK_DGRAM), copy = dup(fd);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_SNDBUF, 0), 0);
	CHECK_EQ(pair_set(fd, IPPROTO_UDP, UDP_CORK, 1), 0);
	CHECK_EQ(pair_connect(fd, NOT_LISTED), 0);
	CHECK_EQ(send(fd, data, sizeof(data), 0), (ssize_t)sizeof(data));
	CHECK_EQ(pair_disconnect(fd), 0);
	CHECK_EQ(pair_bind(fd, 3033), 0);
	CHECK_EQ(pair_port(copy), 3033);
	close(fd);
	close(copy);
}

/* Tries to make a socket whose cookie equals that of fd modulo 256. */
static int alike(int fd)
{
	int other = pair_socket(SOCK_DGRAM);

	for (int i = 0;
	     i < ALIKE_TRIES && (pair_socket_cookie(other) - pair_socket_cookie(fd)) % 256 != 0;
	     i++) {
		close(other);
		other = pair_socket(SOCK_DGRAM);
	}
	return other;
}

/* Recording that one is shut down does not overwrite the record of the other. */
static void test_two_shut(void)
{
	int fd = pair_socket(SOCK_DGRAM), other = alike(fd);

	CHECK_EQ(shutdown(fd, SHUT_WR), -1);
	CHECK_EQ(shutdown(other, SHUT_WR), -1);
	CHECK_EQ(pair_bind(fd, 3000), 0);
	CHECK_FAILS(pair_send(fd, 3000), EPIPE);
	close(fd);
	close(other);
}

/* qemu-user reads a filter back as one byte. Attaching that would let nothing in. */
static void test_short_filter(void)
{
	struct sock_filter code = {BPF_RET | BPF_K, 0, 0, 0xffff};
	const struct sock_fprog program = {1, &code};
	struct pollfd entry = {.fd = pair_socket(SOCK_DGRAM), .events = POLLIN};

	CHECK_EQ(setsockopt(entry.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	if (pair_preloaded() && getenv("TEST_EMULATOR")) {
		CHECK_FAILS(pair_bind(entry.fd, 3014), EINVAL);
	} else {
		CHECK_EQ(pair_bind(entry.fd, 3014), 0);
		CHECK_EQ(pair_send(entry.fd, 3014), 1);
		CHECK_EQ(poll(&entry, 1, 5000), 1);
	}
	close(entry.fd);
}

int main(void)
{
	RUN_BY(forbid_run, test_path_without_cookie); /* before any cookie is read */
	RUN(test_goes_on_working);
	RUN(test_retry);
	RUN(test_path);
	RUN(test_copy_of_a_full_one);
	RUN(test_signals);
	RUN(test_no_ghost_signal);
	RUN(test_two_shut);
	RUN(test_short_filter);
	return 0;
}
