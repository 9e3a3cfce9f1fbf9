/* SPDX-License-Identifier: MIT */
/* step_odd.c - a socket of its own that is used in odd ways before it is bound */
#include "differ/differ.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_ODD 12 /* calls */

static int odd; /* the socket */
static int type;
static bool has_connected;

static void set_number(int level, int name, int value)
{
	if (is_bounded(level, name))
		return;
	say(" %d.%d:=%d", level, name, value);
	SAY_CALL(setsockopt(odd, level, name, &value, sizeof(value)));
}

/* Connects to a port that nobody has: nothing is received, and nothing is answered. */
static void connect_odd(void)
{
	union address address = {.any.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(address.storage);
	const int domain = option_of(odd, SOL_SOCKET, SO_DOMAIN, AF_INET);
	/* IPV6_V6ONLY forbids it, and its default differs between the namespaces. */
	bool mapped = one_in(2) && type == SOCK_DGRAM && !sequence.there;

	if (!one_in(3)) {
		address.any.sa_family = (sa_family_t)domain;
		address.in.sin_port = htons(9);
		if (domain == AF_INET)
			address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		else
			address.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
		if (domain == AF_INET6 && mapped)
			memcpy(address.in6.sin6_addr.s6_addr + 10, "\xff\xff\x7f\0\0\1", 6);
	}
	has_connected = true;
	say(" connect %d%s", address.any.sa_family, mapped ? " mapped" : "");
	SAY_CALL(connect(odd, &address.any, len));
}

/* IPV6_ADDRFORM turns an IPv6 socket that is connected to an IPv4 address into an IPv4 socket. */
static void change_form(void)
{
	set_number(IPPROTO_IPV6, 1, one_in(5) ? AF_INET6 : AF_INET);
}

static void repair(void)
{
	struct {
		uint32_t snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup;
	} window = {1, 2, 3000, 4, 0};

	switch (below(5)) {
	case 0:
	case 1:
		set_number(IPPROTO_TCP, TCP_REPAIR, one_in(3) ? -1 + (int)below(2) : 1);
		break;
	case 2:
		set_number(IPPROTO_TCP, TCP_REPAIR_QUEUE, (int)below(3));
		break;
	case 3:
		set_number(IPPROTO_TCP, TCP_QUEUE_SEQ, (int)below(3) * 1000);
		break;
	default:
		say(" window");
		SAY_CALL(setsockopt(odd, IPPROTO_TCP, 29, &window, sizeof(window)));
	}
}

static void set_some(void)
{
	static const int rows[][2] = {{SOL_SOCKET, SO_REUSEADDR},
	                              {SOL_SOCKET, SO_REUSEPORT},
	                              {SOL_SOCKET, SO_ZEROCOPY},
	                              {SOL_SOCKET, SO_KEEPALIVE},
	                              {SOL_SOCKET, SO_OOBINLINE},
	                              {SOL_SOCKET, SO_DONTROUTE},
	                              {IPPROTO_IP, 24},
	                              {IPPROTO_IP, IP_FREEBIND},
	                              {IPPROTO_IP, IP_TRANSPARENT},
	                              {IPPROTO_IP, IP_RECVERR},
	                              {IPPROTO_IPV6, 25},
	                              {IPPROTO_TCP, TCP_NODELAY},
	                              {IPPROTO_TCP, TCP_CORK},
	                              {IPPROTO_TCP, TCP_QUICKACK},
	                              {IPPROTO_TCP, TCP_MAXSEG},
	                              {IPPROTO_UDP, 1},
	                              {IPPROTO_UDP, 100},
	                              {IPPROTO_UDP, 104},
	                              {IPPROTO_TCP, 23},
	                              {IPPROTO_TCP, 9},
	                              {IPPROTO_TCP, 18},
	                              {SOL_SOCKET, SO_INCOMING_CPU},
	                              {SOL_SOCKET, SO_LOCK_FILTER},
	                              {SOL_SOCKET, SO_DETACH_FILTER}};
	const size_t row = below(sizeof(rows) / sizeof(rows[0]));
	int value = one_in(3) ? random_int() : (int)below(2);

	set_number(rows[row][0], rows[row][1], value);
}

/* Reading an option may have effects: some make an MPTCP socket create a subflow. */
static void read_some(void)
{
	uint8_t value[64];
	socklen_t len = sizeof(value);
	int level = levels[below(LEVELS)], name = (int)below(90), error;

	if (is_apart(level, name) || is_chance(level, name))
		return;
	before_call();
	error = getsockopt(odd, level, name, value, &len) < 0;
	say(" %d.%d%s", level, name, error ? "!" : "?");
}

static void show_processor(void)
{
	say(" processor %d", option_of(odd, SOL_SOCKET, SO_INCOMING_CPU, 0));
}

/* Options that can be read only with TCP_REPAIR. */
static void show_repaired(void)
{
	uint32_t window[5] = {0};
	socklen_t len = sizeof(window);

	SAY_CALL(getsockopt(odd, IPPROTO_TCP, 29, window, &len));
	say_bytes(window, sizeof(window));
	for (int queue = 1; queue <= 2; queue++) {
		set_number(IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
		say(" queue %d", option_of(odd, IPPROTO_TCP, TCP_QUEUE_SEQ, 0));
	}
}

static void shut_odd(void)
{
	int how = type == SOCK_STREAM ? SHUT_RD : (int)below(3);

	say(" shutdown %d", how);
	SAY_CALL(shutdown(odd, how));
}

static void set_default_odd(void)
{
	say(" ");
	set_default(odd);
}

static void bind_odd(void)
{
	const int domain = option_of(odd, SOL_SOCKET, SO_DOMAIN, AF_INET);
	union address any = {.any.sa_family = (sa_family_t)domain};

	say(" bind");
	before_call();
	if (type == SOCK_STREAM && one_in(4))
		say_result(listen(odd, 1));
	else
		say_result(bind(odd, &any.any, sizeof(any.storage)));
}

static void show_odd(void)
{
	union address address;
	socklen_t len;

	if (address_of(odd, &address, &len))
		say_address(&address, len);
	show_state(odd);
	if (!has_other_defaults(odd))
		show_options(odd);
	if (has_connected)
		return;
	show_processor();
	/* Sequence numbers that were set are lost when TCP_REPAIR is turned off: xbind(7). */
	if (is_repaired(odd))
		show_repaired();
}

void step_odd(void)
{
	static void (*const ways[])(void) = {
	    connect_odd, connect_odd,     change_form, set_some, set_some, set_default_odd,
	    shut_odd,    set_default_odd, repair,      repair,   read_some};
	static const int protocols[] = {0, 0, 0, IPPROTO_MPTCP, IPPROTO_UDPLITE};
	int domain = one_in(3) ? AF_INET : AF_INET6, protocol = ONE_OF(protocols);

	type = protocol == IPPROTO_MPTCP     ? SOCK_STREAM
	       : protocol == IPPROTO_UDPLITE ? SOCK_DGRAM
	       : one_in(2)                   ? SOCK_STREAM
	                                     : SOCK_DGRAM;
	has_connected = false;
	odd = socket(domain, type | SOCK_NONBLOCK, protocol);
	say("odd %d %d %d", domain, type, protocol);
	for (int i = 0; i < LONGEST_ODD && !one_in(10); i++)
		ONE_OF(ways)();
	/* A pending error would be lost, and a connected socket stays at home. */
	option_of(odd, SOL_SOCKET, SO_ERROR, 0);
	if (!sequence.there || port_of(odd) == 0) {
		bind_odd();
		show_odd();
	}
	close(odd);
}
