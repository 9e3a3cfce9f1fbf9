/* SPDX-License-Identifier: MIT */
/* step_heard.c - sockets that share a port, and which of them receives a datagram */
#include "differ/differ.h"

#include <linux/filter.h>
#include <string.h>
#include <unistd.h>

#define LISTENERS 3
#define CHANGES   5 /* changes of each socket before its bind, and after it, at most */
#define WORDS     6 /* datagrams, which are numbered */
#define LOOPBACK  1 /* its interface index */

static int listeners[LISTENERS], speaker;
static int domain;
static bool spreads; /* a program chooses the receiver of each unicast datagram */

static int level(void)
{
	return domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

static socklen_t length(void)
{
	return domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* The wildcard address, the loopback address, or a group. */
static union address place(uint32_t which, uint16_t port)
{
	union address address = {.any.sa_family = (sa_family_t)domain};

	address.in.sin_port = htons(port);
	if (domain == AF_INET && which > 0)
		address.in.sin_addr.s_addr =
		    htonl(which == 1 ? INADDR_LOOPBACK : 0xef020200 + which);
	if (domain == AF_INET6 && which == 1)
		address.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	if (domain == AF_INET6 && which > 1) {
		memcpy(address.in6.sin6_addr.s6_addr, "\xff\x01", 2);
		address.in6.sin6_addr.s6_addr[15] = (uint8_t)which;
		address.in6.sin6_scope_id = LOOPBACK;
	}
	return address;
}

static void set(int fd, int at, int name, const void *value, socklen_t len)
{
	say(" %d.%d", at, name);
	SAY_CALL(setsockopt(fd, at, name, value, len));
}

static void set_number(int fd, int at, int name, int value)
{
	set(fd, at, name, &value, sizeof(value));
	say(" of %d", value);
}

/* Leaves out leaving or unblocking a source: its effect is lost if the source is not there
 * (xbind(7)). */
static void change_membership(int fd)
{
	static const int names[] = {MCAST_JOIN_GROUP,   MCAST_JOIN_GROUP,  MCAST_JOIN_GROUP,
	                            MCAST_BLOCK_SOURCE, MCAST_LEAVE_GROUP, MCAST_JOIN_SOURCE_GROUP};
	const int name = ONE_OF(names);
	const bool has_source = name == MCAST_BLOCK_SOURCE || name == MCAST_JOIN_SOURCE_GROUP;
	const struct group_source_req request = {.gsr_interface = LOOPBACK,
	                                         .gsr_group = place(2 + below(2), 0).storage,
	                                         .gsr_source = place(1, 0).storage};

	set(fd, level(), name, &request, has_source ? sizeof(request) : sizeof(struct group_req));
}

/* The filter accepts either even or odd numbers. */
static void attach_filter(int fd)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 8},
	    {BPF_ALU | BPF_AND | BPF_K, 0, 0, 1},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, below(2)},
	    {BPF_RET | BPF_K, 0, 0, 0xffff},
	    {BPF_RET | BPF_K, 0, 0, 0},
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	set(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* The program chooses the first or second socket by the number. */
static void attach_program(int fd)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
	    {BPF_ALU | BPF_AND | BPF_K, 0, 0, 1},
	    {BPF_ALU | BPF_XOR | BPF_K, 0, 0, below(2)},
	    {BPF_RET | BPF_A, 0, 0, 0},
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (spreads)
		set(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

static void change_all(int fd)
{
	set_number(fd, level(), domain == AF_INET ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL,
	           (int)below(2));
}

/* Sockets of a device form a group of their own, with a random receiver. */
static void change_device(int fd)
{
	if (!spreads)
		set_number(fd, SOL_SOCKET, 62 /* BINDTOIFINDEX */, (int)below(2));
}

static void change_hops(int fd)
{
	set_number(fd, level(), domain == AF_INET ? 21 /* MINTTL */ : 73 /* MINHOPCOUNT */,
	           one_in(2) ? 0 : 200);
}

static void change_some(int fd)
{
	static void (*const ways[])(int fd) = {
	    change_membership, change_membership, change_membership, attach_filter,
	    attach_program,    change_all,        change_device,     change_hops};

	for (int i = 0; i < CHANGES && !one_in(3); i++)
		ONE_OF(ways)(fd);
}

static void bind_to(int fd, uint32_t which, uint16_t port)
{
	const union address address = place(which, port);

	say(" bind %u", which);
	SAY_CALL(bind(fd, &address.any, length()));
}

/* Every listener has a port: one without would not move, and would receive its groups where it
 * is. */
static int new_listener(uint16_t port)
{
	int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_number(fd, SOL_SOCKET, spreads ? SO_REUSEPORT : SO_REUSEADDR, 1);
	change_some(fd);
	bind_to(fd, spreads ? 0 : below(4), port);
	end_line();
	if (port_of(fd) != 0)
		return fd;
	close(fd);
	return -1;
}

static void speak(uint16_t port)
{
	const struct ip_mreqn from_ipv4 = {.imr_ifindex = LOOPBACK};

	speaker = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (domain == AF_INET)
		set(speaker, IPPROTO_IP, IP_MULTICAST_IF, &from_ipv4, sizeof(from_ipv4));
	else
		set_number(speaker, IPPROTO_IPV6, IPV6_MULTICAST_IF, LOOPBACK);
	if (one_in(4))
		set_number(speaker, level(),
		           domain == AF_INET ? IP_MULTICAST_LOOP : IPV6_MULTICAST_LOOP, 0);
	if (one_in(4))
		set_number(speaker, level(),
		           domain == AF_INET ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS, 201);
	bind_to(speaker, one_in(2), 0);
	for (char word = 0; word < WORDS && may_talk(speaker); word++) {
		union address to = place(1 + below(3), port);

		publish(&to);
		SAY_CALL(sendto(speaker, &word, 1, MSG_DONTWAIT, &to.any, length()));
	}
}

static void hear(int fd)
{
	char word;

	say(" hears");
	for (int i = 0; i < 2 * WORDS && recv(fd, &word, 1, MSG_DONTWAIT) == 1; i++)
		say(" %d", word);
}

void step_heard(void)
{
	const uint16_t port = a_port();

	if (port < 1024)
		return;
	if (sequence.jailed) /* a closed socket may still be in its groups for a moment */
		return;
	domain = one_in(2) ? AF_INET : AF_INET6;
	spreads = one_in(2);
	say("heard %d %s", domain, spreads ? "by one" : "");
	for (int i = 0; i < LISTENERS; i++)
		listeners[i] = new_listener(port);
	for (int i = 0; i < LISTENERS; i++) {
		say(" %d:", i);
		attach_program(listeners[i]); /* else the receiver is random */
		change_some(listeners[i]);
	}
	if (one_in(3)) {
		close(listeners[1]);
		listeners[1] = new_listener(port);
	}
	speak(port);
	for (int i = 0; i < LISTENERS; i++) {
		hear(listeners[i]);
		close(listeners[i]);
	}
	close(speaker);
}
