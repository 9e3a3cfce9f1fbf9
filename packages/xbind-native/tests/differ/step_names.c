/* SPDX-License-Identifier: MIT */
/* step_names.c - sockets, and what gives them names and peers */
#include "differ/differ.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define PAGE         4096
#define IP_PROTOCOL_ 52 /* reads as the port */

void step_socket(void)
{
	static const struct {
		int domain, type, protocol;
	} kinds[] = {
	    {AF_INET, SOCK_STREAM, 0},
	    {AF_INET6, SOCK_STREAM, 0},
	    {AF_INET, SOCK_DGRAM, 0},
	    {AF_INET6, SOCK_DGRAM, 0},
	    {AF_INET, SOCK_STREAM, IPPROTO_TCP},
	    {AF_INET6, SOCK_STREAM, IPPROTO_TCP},
	    {AF_INET, SOCK_DGRAM, IPPROTO_UDP},
	    {AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
	    {AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
	    {AF_INET6, SOCK_STREAM, IPPROTO_MPTCP},
	    {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
	    {AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
	    {AF_INET, SOCK_RAW, IPPROTO_UDP},
	    {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
	    {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
	    {AF_INET, SOCK_STREAM, IPPROTO_UDP},
	    {AF_UNIX, SOCK_STREAM, 0},
	    {AF_UNIX, SOCK_DGRAM, 0},
	};
	static const int flags[] = {0, 0, SOCK_NONBLOCK, SOCK_CLOEXEC,
	                            SOCK_NONBLOCK | SOCK_CLOEXEC};
	uint32_t kind = one_in(3) ? below(18) : below(12);
	int flag = ONE_OF(flags);
	int fd;

	/* A raw socket hears what the others say, and stays where it is. */
	if (one_in(2) || (sequence.away && kind >= 12 && kind <= 14))
		kind %= 4;
	before_call();
	fd = socket(kinds[kind].domain, kinds[kind].type | flag, kinds[kind].protocol);
	say("socket %d %d %d %x", kinds[kind].domain, kinds[kind].type, kinds[kind].protocol,
	    (unsigned)flag);
	say_result(fd);
	keep(fd);
}

void step_pair(void)
{
	int fds[2] = {-1, -1};

	before_call();
	say_result(socketpair(AF_UNIX, one_in(2) ? SOCK_STREAM : SOCK_DGRAM, 0, fds));
	keep(fds[0]);
	keep(fds[1]);
}

/* The address just before memory that cannot be read, which begins within it if it is to be cut. */
static const void *at_the_edge(const union address *address, socklen_t len, bool cut)
{
	static uint8_t *pages;
	uint8_t *at;

	if (!pages) {
		pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		             -1, 0);
		mprotect(pages + PAGE, PAGE, PROT_NONE);
	}
	at = pages + PAGE - len + (cut ? len / 2 : 0);
	memcpy(at, address, cut ? len - len / 2 : len);
	return at;
}

/*
 * A socket that has connected, or sent, and has no port any more: what it has received and not
 * told, an error too, and what is left of its connection stay behind when it moves: xbind(7).
 */
static void settle_socket(int fd)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int port = 1, error;
	socklen_t len = sizeof(port);
	char byte;

	if (getsockopt(fd, IPPROTO_IP, IP_PROTOCOL_, &port, &len) < 0 || port != 0)
		return;
	for (int i = 0; i < STEPS_MAX; i++) {
		recv(fd, &byte, 1, MSG_DONTWAIT);
		recv(fd, &byte, 1, MSG_DONTWAIT | MSG_ERRQUEUE);
	}
	send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL); /* and what MSG_MORE holds back */
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (port_of(fd) != 0)
		connect(fd, &none, sizeof(none));
}

/*
 * Of an MPTCP socket nobody can tell whether it still has the port that it names. Another one that
 * has lost its port and did not move for that one may keep an address that nobody can see.
 */
static bool has_lost_its_port(int fd)
{
	int protocol = 0, port = 0;
	socklen_t len = sizeof(protocol);

	if (port_of(fd) == 0)
		return false;
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	if (protocol == IPPROTO_MPTCP)
		return true;
	return sequence.partial && getsockopt(fd, IPPROTO_IP, IP_PROTOCOL_, &port, &len) == 0 &&
	       port == 0;
}

void step_bind(void)
{
	union address address;
	int fd = a_socket();
	socklen_t len = an_address(fd, &address);
	const void *at = &address;
	int rc;

	settle_socket(fd);
	if (has_lost_its_port(fd))
		return;
	say("bind %d", fd);
	say_address(&address, len);
	if (one_in(20)) {
		at = NULL;
		say(" at NULL");
	} else if (one_in(5) && len > 0 && len < sizeof(address)) {
		bool cut = one_in(4);

		at = at_the_edge(&address, len, cut);
		say(cut ? " cut" : " edge");
	}
	if (one_in(6))
		before_pestered_call();
	else
		before_call();
	rc = bind(fd, at, len);
	after_long_call();
	say_result(rc);
	settle_sets();
	if (address_of(fd, &address, &len))
		say_address(&address, len);
}

void step_listen(void)
{
	static const int backlogs[] = {0, 1, 1, 2, 8, 128, -1, 100000};
	int fd = a_socket(), backlog = ONE_OF(backlogs);
	union address address;
	socklen_t len;

	settle_socket(fd);
	say("listen %d %d", fd, backlog);
	before_call();
	say_result(listen(fd, backlog));
	settle_sets();
	if (address_of(fd, &address, &len))
		say_address(&address, len);
}

/* Where one of our own sockets is, as often as not. */
static socklen_t an_own_address(int fd, union address *ret)
{
	socklen_t len;

	if (one_in(4) || !address_of(a_socket(), ret, &len))
		len = an_address(fd, ret);
	if (one_in(10))
		ret->any.sa_family = AF_UNSPEC;
	return len;
}

/*
 * An IPv6 socket whose connection to an IPv4 address fails stays half an IPv4 one in the kernel,
 * until it moves.
 */
bool stays_half(int fd, const union address *address)
{
	const struct sockaddr_in6 *in6 = &address->in6;
	int type = 0;
	socklen_t len = sizeof(type);

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type == SOCK_STREAM && in6->sin6_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
}

void step_connect(void)
{
	union address address;
	int fd = a_socket();
	socklen_t len = an_own_address(fd, &address);

	say("connect %d", fd);
	say_address(&address, len);
	if ((!may_talk(fd) && address.any.sa_family != AF_UNSPEC) || stays_half(fd, &address)) {
		say(" not from there");
		return;
	}
	before_long_call();
	say_result(connect(fd, &address.any, len));
	after_long_call();
	if (address_of(fd, &address, &len))
		say_address(&address, len);
}

void step_accept(void)
{
	static const int flags[] = {0, 0, SOCK_NONBLOCK, SOCK_CLOEXEC};
	union address address = {0};
	socklen_t len = sizeof(address.storage);
	int fd = a_socket(), flag = ONE_OF(flags), conn;

	say("accept %d %x", fd, (unsigned)flag);
	before_long_call();
	conn = accept4(fd, &address.any, &len, flag);
	after_long_call();
	say_result(conn);
	if (conn >= 0)
		say_address(&address, len);
	keep(conn);
}

void step_names(void)
{
	union address address = {0};
	socklen_t len = one_in(4) ? below(30) : sizeof(address.storage);
	int fd = a_socket();
	bool peer = one_in(2);

	say("name of %s %d %d", peer ? "peer" : "self", fd, (int)len);
	before_call();
	say_result(peer ? getpeername(fd, &address.any, &len)
	                : getsockname(fd, &address.any, &len));
	say_address(&address, len);
}

void step_shutdown(void)
{
	int fd = a_socket(), how = one_in(20) ? 3 : (int)below(3);
	union address address;
	socklen_t len;
	int type = 0;

	/* Nothing tells that a socket which was shut for writing is open again: xbind(7). */
	len = sizeof(type);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (how == SHUT_WR && type == SOCK_STREAM && address_of(fd, &address, &len) &&
	    (address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6) &&
	    address.in.sin_port == 0) {
		say("shutdown %d passed over", fd);
		return;
	}
	say("shutdown %d %d", fd, how);
	before_call();
	say_result(shutdown(fd, how));
}
