/* SPDX-License-Identifier: MIT */
/*
 * test_stopped.c - what other threads do with descriptors while one is stopped inside bind
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/watched.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#define OTHER_PORT 3701
#define TOLD_MS    5000 /* milliseconds until the error of a datagram */

/* Acts once the socket has been removed from its set, at the last check of its number. */
static void do_late(void (*act)(void))
{
	struct epoll_event event = {.events = EPOLLIN};

	watched.is_early =
	    syscall(SYS_epoll_ctl, watched.set, EPOLL_CTL_MOD, watched.fd, &event) == 0;
	if (!watched.is_early)
		act();
}

static void put_another_late(void)
{
	do_late(put_another);
}

/* Another thread closes the socket in the middle of its bind. What it opens under the number
 * stays there, and is in no epoll set. */
static void close_meanwhile(long call, unsigned argument, void (*act)(void))
{
	uint64_t count;

	make_watched();
	control_watched(EPOLL_CTL_ADD, EPOLLIN);
	run_watched(bind_watched, call, argument, act);
	if (!pair_preloaded())
		return;
	CHECK(!is_ready(watched.set));
	CHECK_EQ(read(watched.fd, &count, sizeof(count)), (ssize_t)sizeof(count));
}

static void test_closed_meanwhile(void)
{
	close_meanwhile(CALL_FCNTL, F_GETFD, put_another);
}

static void test_closed_last(void)
{
	close_meanwhile(SYS_getsockopt, IPPROTO_IP, put_another_late);
}

/* Acts once the new socket has the number, but before it is registered. */
static void put_another_last(void)
{
	watched.is_early = pair_port(watched.fd) == 0;
	if (!watched.is_early)
		put_another();
}

static void test_closed_once_moved(void)
{
	close_meanwhile(SYS_getsockopt, SOL_SOCKET, put_another_last);
}

static void put_zeros(void)
{
	put_consume(open("/dev/zero", O_RDONLY | O_CLOEXEC), watched.fd);
}

/* The same with a file that no epoll set takes (EPERM). */
static void test_closed_at_removal(void)
{
	close_meanwhile(SYS_epoll_ctl, EPOLL_CTL_DEL, put_zeros);
}

static int copy;

static void put_another_at_copy(void)
{
	watched.is_early = pair_port(copy) == 0;
	if (!watched.is_early)
		put_consume(eventfd(1, EFD_CLOEXEC), copy);
}

/* The same for the number of a copy. */
static void test_copy_closed_once_moved(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	make_watched();
	copy = dup(watched.fd);
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, copy, &event), 0);
	run_watched_or_after(bind_watched, SYS_getsockopt, SOL_SOCKET, put_another_at_copy);
	CHECK_EQ(is_ready(watched.set), !pair_preloaded());
}

/* Acts once the socket has moved, when the library is about to give its copy the new one. */
static void put_another_at_copy_late(void)
{
	watched.is_early = pair_port(watched.fd) == 0;
	if (!watched.is_early)
		put_consume(eventfd(1, EFD_CLOEXEC), copy);
}

/* A file that takes the number of a copy just before the copy is replaced stays there. */
static void test_copy_closed_last(void)
{
	uint64_t count;

	watched.fd = pair_socket(SOCK_STREAM);
	copy = dup(watched.fd);
	run_watched_or_after(bind_watched, SYS_epoll_ctl, EPOLL_CTL_ADD, put_another_at_copy_late);
	CHECK_EQ(read(copy, &count, sizeof(count)), (ssize_t)sizeof(count));
}

/* After an EPOLLONESHOT has fired, the file that has taken the number can be registered. */
static void test_closed_once_fired(void)
{
	make_fired();
	run_watched_or_after(bind_watched, SYS_getsockopt, SOL_SOCKET, put_another_last);
	control_watched(EPOLL_CTL_ADD, EPOLLIN);
}

static void close_watched(void)
{
	CHECK_EQ(close(watched.fd), 0);
}

static void close_late(void)
{
	do_late(close_watched);
}

/* A number that is closed that late stays closed. */
static void test_closed_for_good(void)
{
	make_watched();
	control_watched(EPOLL_CTL_ADD, EPOLLIN);
	run_watched(bind_watched, SYS_getsockopt, IPPROTO_IP, close_late);
	if (!pair_preloaded())
		close_watched();
	CHECK_FAILS(fcntl(watched.fd, F_GETFD), EBADF);
}

/* The kernel completes a bind whose descriptor is closed meanwhile, with success. Here it is
 * closed once the new socket has the options of the old one, before it is bound. */
static void bind_meanwhile(void (*act)(void))
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_watched, SHUT_RD, act);
}

static void test_closed_before(void)
{
	bind_meanwhile(close_watched);
}

/* The same while the server makes the new socket. */
static void test_closed_while_asking(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_watched, SHUT_WR, close_watched);
}

/* The same while the descriptor's flags are read. */
static void test_closed_at_exchange(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched(bind_watched, CALL_FCNTL, F_GETFD, close_watched);
}

static void bind_taken(void)
{
	CHECK_FAILS(pair_bind(watched.fd, watched.port), EADDRINUSE);
}

/* If the port is in use, bind fails with EADDRINUSE all the same. */
static void test_closed_before_taken(void)
{
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), watched.port), 0);
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_taken, SHUT_RD, close_watched);
}

static void bind_unlisted(void)
{
	CHECK_EQ(pair_bind(watched.fd, NOT_LISTED), 0);
}

/* Another thread binds the socket first, to a port that is not listed. */
static void test_bound_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_watched_late, SHUT_RD, bind_unlisted);
	CHECK_EQ(pair_port(watched.fd), pair_preloaded() ? NOT_LISTED : watched.port);
}

static _Atomic pthread_t stopped;

static void bind_interrupted(void)
{
	stopped = pthread_self();
	bind_watched_late();
}

static void interrupt(void)
{
	CHECK_EQ(pthread_kill(stopped, SIGSEGV), 0);
}

static void bind_in_handler(int number)
{
	(void)number;
	CHECK_EQ(pair_bind(watched.fd, OTHER_PORT), 0);
}

/* So does the handler of a fault, which cannot wait for the bind that it interrupts. */
static void test_moved_meanwhile(void)
{
	const struct sigaction action = {.sa_handler = bind_in_handler, .sa_flags = SA_RESTART};

	CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_interrupted, SHUT_RD, interrupt);
	CHECK_EQ(pair_port(watched.fd), pair_preloaded() ? OTHER_PORT : watched.port);
}

static struct sockaddr_in address;

static void bind_to_address(void)
{
	CHECK_EQ(bind(watched.fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* By a system call, so that ThreadSanitizer does not see the race that is meant. */
static void change_address(void)
{
	const int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	CHECK_EQ(syscall(SYS_read, zeros, &address.sin_port, sizeof(address.sin_port)),
	         (long)sizeof(address.sin_port));
	close(zeros);
}

/* The kernel reads an address once. What another thread writes there later counts for nothing. */
static void test_address_changed(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	address = pair_addr(watched.port);
	run_watched_move(bind_to_address, SHUT_WR, change_address);
	CHECK_EQ(pair_port(watched.fd), watched.port);
}

static void connect_watched(void)
{
	CHECK_EQ(pair_connect(watched.fd, NOT_LISTED), 0);
}

/* Another thread connects the socket when only the exchange is left to do. */
static void test_connected_meanwhile(void)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	watched.set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_DGRAM);
	control_watched(EPOLL_CTL_ADD, EPOLLOUT);
	run_watched(bind_watched_late, CALL_FCNTL, F_GETFD, connect_watched);
	CHECK_EQ(getpeername(watched.fd, (struct sockaddr *)&peer, &len),
	         pair_preloaded() ? 0 : -1);
	CHECK(is_ready(watched.set));
}

static int sender;

/* Sends whenever the library waits for the server, until the bind is over. */
static void send_until_bound(void)
{
	watched.is_early = pair_port(watched.fd) == 0;
	if (!watched.is_early)
		return;
	CHECK_EQ(send(sender, "", 1, 0), 1);
	CHECK_EQ(poll(&(struct pollfd){sender, 0, 0}, 1, TOLD_MS), 1);
	CHECK_EQ(pair_option(sender, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
}

static void bind_and_poll(void)
{
	bind_watched();
	if (pair_preloaded())
		syscall(CALL_PPOLL, &(struct pollfd){.fd = -1}, 1, &(const int64_t[2]){0}, NULL, 0);
}

/* A datagram that comes during the bind finds no port. A socket that was bound too early could
 * take datagrams meant for another socket of the port, before the program connects it. */
static void test_sent_meanwhile(void)
{
	sender = pair_socket(SOCK_DGRAM);
	CHECK_EQ(pair_bind(sender, OTHER_PORT), 0);
	CHECK_EQ(pair_connect(sender, watched.port), 0);
	watched.fd = pair_socket(SOCK_DGRAM);
	run_watched(bind_and_poll, CALL_PPOLL, 1, send_until_bound);
}

static int descriptors; /* count before bind */

static void bind_counted(void)
{
	descriptors = test_open_fds();
	bind_watched();
}

static void count_descriptors(void)
{
	CHECK_EQ(test_open_fds(), descriptors);
}

static void fork_beside(void)
{
	child_run(count_descriptors);
}

/* A child that another thread forks inherits none of the library's descriptors. */
static void fork_meanwhile(int how)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_counted, how, fork_beside);
}

#define BINDS 100 /* more binds than descriptors that the library tracks */

/* The library's descriptors of earlier binds are closed and need not be tracked any more. */
static void bind_often(void)
{
	for (int i = 0; i < BINDS; i++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_EQ(pair_bind(fd, 3705), 0);
		close(fd);
	}
}

/* The library shuts its connection down for writing once it has asked the server. */
static void test_forked_while_asking(void)
{
	fork_meanwhile(SHUT_WR);
}

static void test_forked_before_bind(void)
{
	bind_often();
	fork_meanwhile(SHUT_RD);
}

/* After chroot(2) the new socket exists before the old one's options are read. The server may
 * keep its copy for a while. */
static void test_forked_behind_chroot(void)
{
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), 3701), 0); /* now all defaults are known */
	watched.fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(chroot("/"), 0);
	watched.port = 3704;
	bind_often();
	run_watched(bind_counted, SYS_getsockopt, IPPROTO_TCP, fork_beside);
}

static void bind_without_stderr(void)
{
	close(STDERR_FILENO);
	bind_watched();
}

static int is_stderr_open; /* noted here, since it cannot be reported without stderr */

static void look_for_stderr(void)
{
	is_stderr_open = fcntl(STDERR_FILENO, F_GETFD) >= 0;
}

static void run_beside_log(void (*body)(void), long call, unsigned argument)
{
	int saved = dup(STDERR_FILENO);

	run_watched(body, call, argument, look_for_stderr);
	CHECK_EQ(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	CHECK(!is_stderr_open);
}

/* While stderr is closed the library opens nothing under its number, to which another thread may
 * write. */
static void test_bound_beside_log(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_beside_log(bind_without_stderr, CALL_FCNTL, F_GETFD);
}

static void set_without_stderr(void)
{
	close(STDERR_FILENO);
	CHECK_EQ(pair_set(watched.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
}

/* When an option is first set, the library reads its default from a fresh socket. */
static void test_set_beside_log(void)
{
	watched.fd = socket(AF_INET6, SOCK_STREAM, 0);
	run_beside_log(set_without_stderr, SYS_getsockopt, IPPROTO_IPV6);
}

int main(void)
{
	if (!forbid_works())
		test_skip("the emulator's own calls would be filtered");
	RUN_BY(child_run, test_closed_meanwhile);
	RUN_BY(child_run, test_closed_last);
	RUN_BY(child_run, test_closed_at_removal);
	RUN_BY(child_run, test_closed_once_moved);
	RUN_BY(child_run, test_copy_closed_once_moved);
	RUN_BY(child_run, test_copy_closed_last);
	RUN_BY(child_run, test_closed_once_fired);
	RUN_BY(child_run, test_closed_for_good);
	RUN_BY(child_run, test_closed_before);
	RUN_BY(child_run, test_closed_while_asking);
	RUN_BY(child_run, test_closed_at_exchange);
	RUN_BY(child_run, test_closed_before_taken);
	RUN_BY(child_run, test_bound_meanwhile);
	RUN_BY(child_run, test_moved_meanwhile);
	RUN_BY(child_run, test_address_changed);
	RUN_BY(child_run, test_connected_meanwhile);
	RUN_BY(child_run, test_sent_meanwhile);
	RUN_BY(child_run, test_forked_while_asking);
	RUN_BY(child_run, test_forked_before_bind);
	RUN_BY(child_run, test_forked_behind_chroot);
	RUN_BY(child_run, test_bound_beside_log);
	RUN_BY(child_run, test_set_beside_log);
	return 0;
}
