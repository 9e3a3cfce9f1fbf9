/* SPDX-License-Identifier: MIT */
/* step_bind.c - bind(2) and listen(2), which move sockets */
#include "differ/differ.h"
#include "support/pair.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A socket that has connected or sent and then lost its port leaves unread data, a pending error
 * and the rest of its connection behind when it moves: xbind(7). */
static void settle_socket(int fd)
{
	char byte;

	if (option_of(fd, IPPROTO_IP, IP_PROTOCOL_, 1) != 0)
		return;
	for (int i = 0; i < STEPS_MAX; i++) {
		recv(fd, &byte, 1, MSG_DONTWAIT);
		recv(fd, &byte, 1, MSG_DONTWAIT | MSG_ERRQUEUE);
	}
	send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL); /* sends data that MSG_MORE holds back */
	option_of(fd, SOL_SOCKET, SO_ERROR, 0);
	if (port_of(fd) != 0)
		pair_disconnect(fd);
}

/* Does the socket have an address? A failing bind would remove it. */
static bool has_address(int fd)
{
	union address address;
	socklen_t len;

	if (!address_of(fd, &address, &len))
		return false;
	if (address.any.sa_family == AF_INET)
		return address.in.sin_addr.s_addr != htonl(INADDR_ANY);
	return address.any.sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_UNSPECIFIED(&address.in6.sin6_addr);
}

/* It is unknown whether an MPTCP socket still has the port that it names. Another socket that
 * has lost its port, and did not move for it, may keep an address that cannot be seen. */
static bool has_lost_its_port(int fd)
{
	if (port_of(fd) == 0)
		return sequence.partial && has_address(fd);
	if (protocol_of(fd) == IPPROTO_MPTCP)
		return true;
	return sequence.partial && option_of(fd, IPPROTO_IP, IP_PROTOCOL_, 1) == 0;
}

/* A socket that one of two processes binds does not move in the other one: xbind(7). */
static bool is_passed_over(int fd)
{
	return has_lost_its_port(fd) || (turn_is_shared(fd) && is_movable(fd));
}

/* Binds with no free descriptor, and then with one more at a time until there are enough. */
static int bind_with_few(int fd, const void *at, socklen_t len)
{
	int left = dup(STDOUT_FILENO), rc;
	struct rlimit before, few;

	close(left);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = (rlim_t)left;
	do {
		setrlimit(RLIMIT_NOFILE, &few);
		before_call();
		rc = bind(fd, at, len);
		few.rlim_cur++;
	} while (rc < 0 && errno == EMFILE && few.rlim_cur < before.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &before);
	return rc;
}

/* syscall(2) is hooked on some processors only. */
static int by_number(long number, int fd, long first, socklen_t second)
{
#if HOOKS_SYSCALL
	return (int)syscall(number, fd, first, second);
#else
	return number == SYS_bind ? bind(fd, (const void *)first, second) : listen(fd, (int)first);
#endif
}

static void before_call_of(int way)
{
	if (way < 6)
		before_pestered_call();
	else if (way < 10)
		before_disturbed_call();
	else
		before_call();
}

static int call_listen(int fd, int backlog)
{
	int way = (int)below(24), rc;

	before_call_of(way);
	rc = way % 4 == 3 ? by_number(SYS_listen, fd, backlog, 0) : listen(fd, backlog);
	after_long_call();
	return rc;
}

static int call_bind(int fd, const void *at, socklen_t len)
{
	int way = (int)below(24), rc;

	if (way < 2)
		return bind_with_few(fd, at, len);
	before_call_of(way);
	rc = way % 4 == 3 ? by_number(SYS_bind, fd, (long)at, len) : bind(fd, at, len);
	after_long_call();
	return rc;
}

void step_bind(void)
{
	union address address;
	int fd = a_socket();
	socklen_t len = an_address(fd, &address);
	const void *at = &address;

	settle_socket(fd);
	if (is_passed_over(fd))
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
	say_result(call_bind(fd, at, len));
	say_disturbance();
	settle_sets();
	if (address_of(fd, &address, &len))
		say_address(&address, len);
}

#ifdef __GLIBC__ /* only glibc has it */
static int call_reserved(int fd, struct sockaddr_in *ret)
{
	*ret = (struct sockaddr_in){.sin_family = one_in(5) ? AF_INET6 : AF_INET,
	                            .sin_addr.s_addr =
	                                htonl(one_in(3) ? 0xc0000201 : INADDR_LOOPBACK)};
	if (one_in(2)) {
		before_call();
		return bindresvport(fd, NULL);
	}
	say(" family %d", ret->sin_family);
	before_call();
	return bindresvport(fd, ret);
}

/* Uses a socket of its own. The ports of earlier ones may be in use for a while. */
static void make_reserved(void)
{
	static const int starts[] = {1023, 700, 512, 511, -1, 65535};
	static const sa_family_t families[] = {AF_INET, AF_INET, AF_INET6, AF_UNIX};
	int port = ONE_OF(starts), start = port, fd;
	sa_family_t family = ONE_OF(families);
	union address address;
	socklen_t len;

	say("rresvport %d %d", start, family);
	before_call();
	fd = family == AF_INET && one_in(2) ? rresvport(&port) : rresvport_af(&port, family);
	if (fd >= 0)
		before_call();
	say_result(fd);
	if (address_of(fd, &address, &len))
		say_address(&address, len);
	if (fd >= 0)
		say(" %s", port == port_of(fd) ? "told" : "not told");
	else
		say(" %s", port == start ? "as before" : "changed");
	keep(fd);
}
#endif

/* A port below 1024, chosen by libc. */
void step_reserved(void)
{
#ifdef __GLIBC__
	int fd = a_socket(), rc;
	union address address;
	socklen_t len;

	if (one_in(3)) {
		make_reserved();
		return;
	}
	settle_socket(fd);
	if (is_passed_over(fd))
		return;
	say("bindresvport %d", fd);
	rc = call_reserved(fd, &address.in);
	if (rc == 0)
		before_call(); /* libc leaves EADDRINUSE of earlier tries in errno */
	say_result(rc);
	settle_sets();
	if (address_of(fd, &address, &len))
		say_address(&address, len);
#endif
}

void step_listen(void)
{
	static const int backlogs[] = {0, 1, 1, 2, 8, 128, -1, 100000};
	int fd = a_socket(), backlog = ONE_OF(backlogs);
	union address address;
	socklen_t len;

	settle_socket(fd);
	if (turn_is_shared(fd) && is_movable(fd))
		return;
	say("listen %d %d", fd, backlog);
	say_result(call_listen(fd, backlog));
	say_disturbance();
	settle_sets();
	if (address_of(fd, &address, &len))
		say_address(&address, len);
}
