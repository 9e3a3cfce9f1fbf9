/* SPDX-License-Identifier: MIT */
/* talk.c - clients of a server that exists, and what both send */
#include "differ/differ.h"
#include "support/pair.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLIENTS_MAX 3
#define CONNECT_MS  100 /* longest time of a client's connect, in milliseconds */
#define WORDS_MAX   8   /* calls of both sides together */

static int ends[2]; /* the client's end, and the server's end */
static int listening, type, interest;

static void send_some(int fd)
{
	static const int flags[] = {0, 0, 0, MSG_OOB, MSG_MORE, MSG_EOR, MSG_ZEROCOPY};
	static const size_t lengths[] = {0, 1, 10, 100, 3000};
	static char bytes[3000];
	const size_t len = ONE_OF(lengths);

	memset(bytes, 'a' + (int)below(26), sizeof(bytes));
	say(" send");
	SAY_CALL(send(fd, bytes, len, ONE_OF(flags) | MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void receive_some(int fd)
{
	say(" ");
	receive(fd);
}

static void ask_numbers(int fd)
{
	static const unsigned requests[] = {FIONREAD, SIOCATMARK, SIOCOUTQ};
	const unsigned request = ONE_OF(requests);
	int value = 0;

	say(" ioctl %x", request);
	SAY_CALL(ioctl(fd, request, &value));
	if (request != SIOCOUTQ)
		say(" %d", value);
}

static void ask_error(int fd)
{
	say(" error %d", option_of(fd, SOL_SOCKET, SO_ERROR, 0));
}

static void ask_poll(int fd)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};

	say(" poll %d", poll(&entry, 1, 0));
	say(" %x", (unsigned)entry.revents);
}

static void ask_names(int fd)
{
	union address address = {0};
	socklen_t len = sizeof(address.storage);

	if (address_of(fd, &address, &len))
		say_address(&address, len);
	len = sizeof(address.storage);
	SAY_CALL(getpeername(fd, &address.any, &len));
}

static void shut(int fd)
{
	const int how = (int)below(3);

	say(" shutdown %d", how);
	SAY_CALL(shutdown(fd, how));
}

static void set_on_it(int fd)
{
	static const int rows[][2] = {{IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK},
	                              {SOL_SOCKET, SO_OOBINLINE}, {SOL_SOCKET, SO_RCVLOWAT},
	                              {IPPROTO_IP, IP_TOS},       {IPPROTO_IP, IP_RECVERR},
	                              {SOL_SOCKET, SO_ZEROCOPY},  {IPPROTO_IP, IP_PKTINFO}};
	const size_t row = below(sizeof(rows) / sizeof(rows[0]));
	const int value = (int)below(3);

	say(" %d.%d:=%d", rows[row][0], rows[row][1], value);
	SAY_CALL(setsockopt(fd, rows[row][0], rows[row][1], &value, sizeof(value)));
}

/* Registers it under a number that another socket had just before. */
static void register_end(int fd)
{
	const int operation = one_in(3) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = 100 + below(9)};

	say(" epoll_ctl %d", operation);
	SAY_CALL(epoll_ctl(interest, operation, fd, &event));
	event = (struct epoll_event){0};
	say(" ready %d", epoll_wait(interest, &event, 1, 0));
}

/* Answers as a UDP server on the wildcard address does: from the address that the client used. */
static void answer(int fd)
{
	static char bytes[100];
	static union {
		struct cmsghdr head;
		char bytes[500];
	} control;
	union address address = {0};
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr message = {.msg_name = &address,
	                         .msg_namelen = sizeof(address.storage),
	                         .msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};
	long len;

	say(" answer");
	SAY_CALL(len = recvmsg(fd, &message, MSG_DONTWAIT));
	if (len < 0)
		return;
	iov.iov_len = (size_t)len;
	SAY_CALL(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void leave(int fd)
{
	say(" disconnect");
	SAY_CALL(pair_disconnect(fd));
}

/* What the other side sends is refused, or was in vain. */
static void hang_up(int fd)
{
	if (fd == listening)
		return;
	say(" close");
	close(fd);
	ends[fd == ends[1]] = -1;
}

static void say_words(void)
{
	static void (*const ways[])(int fd) = {
	    send_some, send_some, receive_some, receive_some, ask_numbers, ask_error, ask_poll,
	    ask_names, set_on_it, register_end, shut,         answer,      leave,     hang_up};

	for (int i = 0; i < WORDS_MAX && !one_in(8); i++) {
		const int side = (int)below(2);

		say(" %c", "cs"[side]);
		if (ends[side] >= 0)
			ONE_OF(ways)(ends[side]);
	}
}

/* Binds the client, so that it is where all bound sockets are. */
static bool bind_client(int domain)
{
	if (!sequence.away && one_in(2))
		return true;
	SAY_CALL(pair_bind_any(ends[0], domain, 0));
	return may_talk(ends[0]);
}

static bool connect_client(void)
{
	union address address;
	socklen_t len;
	struct pollfd entry = {.events = POLLOUT};
	int error;

	if (!address_of(listening, &address, &len) || port_of(listening) == 0)
		return false;
	ends[0] = socket(address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (one_in(3))
		set_on_it(ends[0]);
	if (!bind_client(address.any.sa_family))
		return false;
	say(" connect");
	SAY_CALL(connect(ends[0], &address.any, len));
	entry.fd = ends[0];
	say(" poll %d", poll(&entry, 1, CONNECT_MS));
	error = option_of(ends[0], SOL_SOCKET, SO_ERROR, 0);
	say(" error %d", error);
	return error == 0;
}

static void accept_client(void)
{
	union address address = {0};
	socklen_t len = sizeof(address.storage);
	struct pollfd entry = {.fd = listening, .events = POLLIN};

	say(" accept");
	if (poll(&entry, 1, 0) == 0)
		return;
	SAY_CALL(ends[1] = accept4(listening, &address.any, &len,
	                           one_in(2) ? SOCK_CLOEXEC : SOCK_NONBLOCK));
	if (ends[1] >= 0)
		say_address(&address, len);
}

/* A UDP server may have another socket at the same port for each client. */
static void take_peer(void)
{
	union address here = {0}, there;
	socklen_t here_len, there_len;
	const int on = 1;

	ends[1] = listening;
	if (one_in(2) || !address_of(listening, &here, &here_len) ||
	    !address_of(ends[0], &there, &there_len))
		return;
	ends[1] = socket(here.any.sa_family, type | SOCK_CLOEXEC, 0);
	setsockopt(ends[1], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	say(" peer");
	SAY_CALL(bind(ends[1], &here.any, here_len));
	if (port_of(ends[1]) == 0) {
		close(ends[1]);
		ends[1] = -1;
		return;
	}
	SAY_CALL(connect(ends[1], &there.any, there_len));
}

static void be_client(void)
{
	const int first = (int)below(2);

	ends[0] = ends[1] = -1;
	if (connect_client()) {
		ask_poll(listening);
		if (one_in(2))
			send_some(ends[0]);
		if (type == SOCK_STREAM)
			accept_client();
		else
			take_peer();
		say_words();
		if (ends[1] >= 0 && one_in(6))
			show_options(ends[1]);
	}
	for (int i = 0; i < 2; i++) {
		const int side = i ^ first;

		if (ends[side] >= 0 && ends[side] != listening)
			close(ends[side]);
	}
}

void talk_to(int server, int set)
{
	listening = server;
	interest = set;
	type = option_of(server, SOL_SOCKET, SO_TYPE, 0);
	for (int i = 0; i < CLIENTS_MAX && may_talk(server) && !one_in(4); i++) {
		say(" client %d", i);
		be_client();
		end_line();
	}
}
