/* SPDX-License-Identifier: MIT */
/* step_names.c - make sockets, and give them names and peers */
#include "differ/differ.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

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

	/* A raw socket receives what the others send, and never moves. */
	if (one_in(2) || (sequence.away && kind >= 12 && kind <= 14))
		kind %= 4;
	before_call();
	fd = socket(kinds[kind].domain, kinds[kind].type | flag, kinds[kind].protocol);
	say("socket %d %d %d %x", kinds[kind].domain, kinds[kind].type, kinds[kind].protocol,
	    (unsigned)flag);
	say_result(fd);
	keep(fd);
}

/* Makes a descriptor that is not a socket and never becomes ready. */
static int an_odd_one(void)
{
	const sigset_t none = {0};

	switch (below(6)) {
	case 0:
		return signalfd(-1, &none, one_in(2) ? SFD_NONBLOCK : SFD_CLOEXEC);
	case 1:
		return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	case 2:
		return inotify_init1(IN_NONBLOCK);
	case 3:
		return memfd_create("differ", MFD_CLOEXEC);
	case 4:
		return (int)syscall(SYS_pidfd_open, getpid(), 0);
	default:
		return open("/dev/null", one_in(2) ? O_PATH : O_RDWR);
	}
}

/* Makes two descriptors that are not Internet sockets, or not sockets. */
void step_pair(void)
{
	int fds[2] = {-1, -1}, way = (int)below(5);

	say("pair way %d", way);
	before_call();
	if (way == 4)
		say_result(fds[0] = an_odd_one());
	else if (way == 0)
		say_result(pipe2(fds, one_in(2) ? O_NONBLOCK : 0));
	else if (way == 1)
		say_result(fds[0] = eventfd(below(2), EFD_NONBLOCK));
	else
		say_result(socketpair(AF_UNIX, way == 2 ? SOCK_STREAM : SOCK_DGRAM, 0, fds));
	keep(fds[0]);
	keep(fds[1]);
}

/* The address of one of our own sockets, half of the time. */
static socklen_t an_own_address(int fd, union address *ret)
{
	socklen_t len;

	if (one_in(4) || !address_of(a_socket(), ret, &len))
		len = an_address(fd, ret);
	publish(ret);
	if (one_in(10) && ret->any.sa_family != AF_UNIX)
		ret->any.sa_family = AF_UNSPEC;
	return len;
}

/* If an IPv6 socket fails to connect to an IPv4 address, the kernel leaves it half an IPv4 one
 * until it moves. */
bool stays_half(int fd, const union address *address)
{
	const struct sockaddr_in6 *in6 = &address->in6;

	return option_of(fd, SOL_SOCKET, SO_TYPE, 0) == SOCK_STREAM &&
	       in6->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
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
	socklen_t room = one_in(4) ? below(30) : sizeof(address.storage), len = room;
	int fd = a_socket();
	bool peer = one_in(2);

	say("name of %s %d %d", peer ? "peer" : "self", fd, (int)len);
	SAY_CALL(peer ? getpeername(fd, &address.any, &len) : getsockname(fd, &address.any, &len));
	if (room >= 4) /* keeps the port, which may be published as another one, whole */
		say_address(&address, len);
}

void step_shutdown(void)
{
	int fd = a_socket(), how = one_in(20) ? 3 : (int)below(3);

	/* It cannot be seen that a socket was shut down for writing, or is open again: xbind(7). */
	if ((how == SHUT_WR || (how == SHUT_RDWR && sequence.execs)) &&
	    option_of(fd, SOL_SOCKET, SO_TYPE, 0) == SOCK_STREAM && is_movable(fd)) {
		say("shutdown %d passed over", fd);
		return;
	}
	say("shutdown %d %d", fd, how);
	SAY_CALL(shutdown(fd, how));
}
