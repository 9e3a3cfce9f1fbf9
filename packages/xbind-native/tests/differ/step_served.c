/* SPDX-License-Identifier: MIT */
/* step_served.c - the life of a server: who binds its socket, who listens, and then clients */
#include "differ/differ.h"
#include "support/clone.h"
#include "support/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANGES_MAX 5
#define HIGH        120 /* first of the numbers that a socket may get, below those of the library */

static struct kind {
	int domain, type, protocol;
} kind;
static int served; /* the socket */
static int set;    /* a set in which it may be registered */
static union address address;
static socklen_t address_len;
static int backlog;
/* Did another process bind it? Then only the library there knows that it has moved: xbind(7). */
static bool is_given;

/* The result of the call, in whichever process or thread it was made. */
static struct outcome {
	int rc, error;
} *outcome;
static int (*deed)(void);

static int bind_served(void)
{
	return bind(served, &address.any, address_len);
}

static int listen_served(void)
{
	return listen(served, backlog);
}

static void do_deed(void)
{
	before_call();
	outcome->rc = deed();
	outcome->error = errno;
}

static void *be_thread(void *unused)
{
	do_deed();
	return unused;
}

static void by_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, be_thread, NULL) != 0)
		_exit(5);
	pthread_join(thread, NULL);
}

/* Makes the call in a child that shares the descriptors, or that sends back a socket which
 * replaces ours. */
static void by_child(int way)
{
	const int fd_flags = fcntl(served, F_GETFD);
	int ends[2], back = -1;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		_exit(4);
	child = way == 0 ? vfork() : way == 1 ? fork() : clone_with(CLONE_FILES);
	if (child == 0) {
		do_deed();
		if (way < 2)
			send_off(ends[0], &served, 1);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	is_given |= way > 0;
	if (way < 2) {
		take_in(ends[1], &back, 1);
		SAY_CALL(dup3(back, served, fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0));
		close(back);
	}
	close(ends[0]);
	close(ends[1]);
}

static void by_someone(int (*what)(void))
{
	const int way = (int)below(8);

	deed = what;
	say(" way %d", way);
	if (way < 3)
		by_child(way);
	else if (way == 3)
		by_thread();
	else
		do_deed();
	errno = outcome->error;
	say_result(outcome->rc);
}

static void set_one(void)
{
	static const int rows[][2] = {{SOL_SOCKET, SO_REUSEADDR},
	                              {SOL_SOCKET, SO_REUSEADDR},
	                              {SOL_SOCKET, SO_REUSEPORT},
	                              {SOL_SOCKET, SO_KEEPALIVE},
	                              {SOL_SOCKET, SO_OOBINLINE},
	                              {SOL_SOCKET, SO_RCVBUF},
	                              {SOL_SOCKET, SO_SNDBUF},
	                              {SOL_SOCKET, SO_RCVLOWAT},
	                              {SOL_SOCKET, 40 /* RXQ_OVFL */},
	                              {IPPROTO_IP, IP_PKTINFO},
	                              {IPPROTO_IP, IP_RECVTTL},
	                              {IPPROTO_IP, IP_RECVTOS},
	                              {IPPROTO_IP, IP_RECVERR},
	                              {IPPROTO_IP, IP_TOS},
	                              {IPPROTO_IPV6, 49 /* RECVPKTINFO */},
	                              {IPPROTO_IPV6, 51 /* RECVHOPLIMIT */},
	                              {IPPROTO_IPV6, 66 /* RECVTCLASS */},
	                              {IPPROTO_IPV6, 25 /* RECVERR */},
	                              {IPPROTO_TCP, TCP_NODELAY},
	                              {IPPROTO_TCP, TCP_QUICKACK},
	                              {IPPROTO_TCP, TCP_MAXSEG},
	                              {IPPROTO_TCP, TCP_KEEPIDLE},
	                              {IPPROTO_TCP, 23 /* FASTOPEN */},
	                              {IPPROTO_TCP, 27 /* SAVE_SYN */},
	                              {IPPROTO_UDP, 104 /* GRO */}};
	static const int values[] = {1, 1, 1, 0, 8, 4096, 700};
	const size_t row = below(sizeof(rows) / sizeof(rows[0]));
	const int value = ONE_OF(values);

	if (is_bounded(rows[row][0], rows[row][1]))
		return;
	say(" %d.%d:=%d", rows[row][0], rows[row][1], value);
	SAY_CALL(setsockopt(served, rows[row][0], rows[row][1], &value, sizeof(value)));
}

static void set_blocking(void)
{
	int on = (int)below(2);

	say(" blocks %d", !on);
	SAY_CALL(ioctl(served, FIONBIO, &on));
}

/* Moves the socket to another number. A registration under a closed number ends: xbind(7). */
static void move_number(void)
{
	int moved;

	say(" to another number");
	epoll_ctl(set, EPOLL_CTL_DEL, served, NULL);
	before_call();
	moved = fcntl(served, one_in(2) ? F_DUPFD : F_DUPFD_CLOEXEC, one_in(2) ? 0 : HIGH);
	say_result(moved);
	close(served);
	served = moved;
}

static void register_it(void)
{
	static const int operations[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD,
	                                 EPOLL_CTL_DEL};
	const int operation = ONE_OF(operations);
	struct epoll_event event = {.events = EPOLLIN | (one_in(2) ? EPOLLOUT : 0),
	                            .data.u64 = below(100)};

	say(" epoll_ctl %d", operation);
	SAY_CALL(epoll_ctl(set, operation, served, &event));
}

static void wait_in_set(void)
{
	say_ready(set);
}

static void change_some(void)
{
	static void (*const ways[])(void) = {set_one,     set_one,     set_one,     set_blocking,
	                                     move_number, register_it, register_it, wait_in_set};

	for (int i = 0; i < CHANGES_MAX && !one_in(4); i++)
		ONE_OF(ways)();
}

static void choose_address(void)
{
	const uint32_t host = below(5);

	address = (union address){.any.sa_family = (sa_family_t)kind.domain};
	address.in.sin_port = htons(a_port());
	address_len = kind.domain == AF_INET ? sizeof(address.in) : sizeof(address.in6);
	if (kind.domain == AF_INET && host > 1)
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (kind.domain == AF_INET6 && host > 1)
		address.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	if (kind.domain == AF_INET6 && host == 4)
		memcpy(address.in6.sin6_addr.s6_addr + 10, "\xff\xff\x7f\0\0\1", 6);
}

static void start(void)
{
	union address name;
	socklen_t len;

	change_some();
	say(" bind");
	by_someone(bind_served);
	end_line();
	change_some();
	if (kind.type == SOCK_STREAM) {
		say(" listen");
		by_someone(listen_served);
		end_line();
		change_some();
	}
	if (address_of(served, &name, &len))
		say_address(&name, len);
	wait_in_set();
	end_line();
}

/* Stops the server before it is started again. */
static void stop(void)
{
	if (one_in(2)) {
		say(" shutdown");
		SAY_CALL(shutdown(served, SHUT_RD));
	}
	if (one_in(2)) {
		say(" disconnect");
		SAY_CALL(pair_disconnect(served));
	}
	if (one_in(2)) {
		say(" anew");
		epoll_ctl(set, EPOLL_CTL_DEL, served, NULL);
		close(served);
		served = socket(kind.domain, kind.type | SOCK_NONBLOCK, kind.protocol);
	}
}

void step_served(void)
{
	static const struct kind kinds[] = {{AF_INET, SOCK_STREAM, 0},
	                                    {AF_INET6, SOCK_STREAM, 0},
	                                    {AF_INET, SOCK_DGRAM, 0},
	                                    {AF_INET6, SOCK_DGRAM, 0},
	                                    {AF_INET6, SOCK_STREAM, IPPROTO_MPTCP}};

	if (sequence.jailed)
		return;
	kind = ONE_OF(kinds);
	is_given = false;
	served = socket(kind.domain, kind.type | (one_in(2) ? SOCK_CLOEXEC : 0), kind.protocol);
	set = epoll_create1(EPOLL_CLOEXEC);
	outcome =
	    mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	backlog = 1 + (int)below(3);
	choose_address();
	say("served %d %d %d", kind.domain, kind.type, kind.protocol);
	say_address(&address, address_len);
	start();
	talk_to(served, set);
	if (one_in(3) && kind.protocol != IPPROTO_MPTCP && !is_given) {
		stop();
		start();
		talk_to(served, set);
	}
	show_state(served);
	if (!has_other_defaults(served))
		show_options(served);
	munmap(outcome, sizeof(*outcome));
	close(served);
	close(set);
}
