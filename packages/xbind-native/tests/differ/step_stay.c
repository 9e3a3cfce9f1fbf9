/* SPDX-License-Identifier: MIT */
/* step_stay.c - a socket of a kind that never moves */
#include "differ/differ.h"
#include "support/pair.h"

#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LONGEST_STAY 8 /* calls */

static int staying; /* the socket */
static int family;

/* Levels that only such sockets have, and the number of their options. */
static void set_own(void)
{
	static const struct {
		int level, names;
	} rows[] = {{255 /* RAW, its filter of ICMP */, 3},
	            {58 /* ICMPv6, its filter */, 3},
	            {SOL_PACKET, 25},
	            {SOL_NETLINK, 14},
	            {SOL_ALG, 8},
	            {AF_VSOCK, 10},
	            {33 /* DCCP */, 20},
	            {132 /* SCTP */, 40},
	            {282 /* TLS */, 5},
	            {284 /* MPTCP */, 6},
	            {IPPROTO_IP, 60},
	            {IPPROTO_IPV6, 90},
	            {SOL_SOCKET, 90}};
	const size_t row = below(sizeof(rows) / sizeof(rows[0]));
	const int level = rows[row].level, name = (int)below((uint32_t)rows[row].names);
	static const socklen_t lengths[] = {4, 4, 4, 8, 16, 32, 1, 0, (socklen_t)-1};
	socklen_t len = ONE_OF(lengths);
	uint8_t value[64] = {(uint8_t)(one_in(2) ? below(2) : below(256))};
	int rc;

	if (is_apart(level, name))
		return;
	for (size_t i = 4; one_in(3) && i < 32; i++)
		value[i] = (uint8_t)random_next();
	say(" %d.%d len %d", level, name, (int)len);
	SAY_CALL(setsockopt(staying, level, name, value, len));
	len = sizeof(value);
	SAY_CALL(rc = getsockopt(staying, level, name, value, &len));
	if (rc == 0 && !sequence.there && !is_chance(level, name))
		say_bytes(value, len < sizeof(value) ? len : sizeof(value));
}

static socklen_t an_address_to_stay_at(union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = (sa_family_t)family;
	if (family == AF_INET || family == AF_INET6) {
		ret->in.sin_port = htons(a_port());
		if (family == AF_INET)
			ret->in.sin_addr.s_addr = htonl(one_in(2) ? INADDR_LOOPBACK : INADDR_ANY);
		else if (one_in(2))
			ret->in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
		return family == AF_INET ? sizeof(ret->in) : sizeof(ret->in6);
	}
	if (family == AF_PACKET) {
		((struct sockaddr_ll *)ret)->sll_protocol = htons((uint16_t)below(4));
		((struct sockaddr_ll *)ret)->sll_ifindex = (int)below(3);
		return sizeof(struct sockaddr_ll);
	}
	if (family == AF_NETLINK) {
		((struct sockaddr_nl *)ret)->nl_groups = below(3);
		return sizeof(struct sockaddr_nl);
	}
	if (family == AF_ALG) {
		strcpy((char *)((struct sockaddr_alg *)ret)->salg_type, "hash");
		strcpy((char *)((struct sockaddr_alg *)ret)->salg_name, "sha256");
		return sizeof(struct sockaddr_alg);
	}
	if (family == AF_VSOCK) {
		((struct sockaddr_vm *)ret)->svm_cid = VMADDR_CID_ANY;
		((struct sockaddr_vm *)ret)->svm_port = VMADDR_PORT_ANY;
		return sizeof(struct sockaddr_vm);
	}
	return sizeof(sa_family_t); /* the kernel chooses a name */
}

static void bind_staying(void)
{
	union address address;
	socklen_t len = an_address_to_stay_at(&address);

	if (one_in(10))
		len = below(len + 1);
	say(" bind");
	if (family == AF_INET || family == AF_INET6)
		say_address(&address, len);
	SAY_CALL(bind(staying, &address.any, len));
	if (family == AF_INET && address_of(staying, &address, &len))
		say_address(&address, len);
}

static void listen_staying(void)
{
	say(" listen");
	SAY_CALL(listen(staying, 1));
}

static void wait_staying(void)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 7};
	int set = epoll_create1(EPOLL_CLOEXEC);

	say(" epoll");
	SAY_CALL(epoll_ctl(set, EPOLL_CTL_ADD, staying, &event));
	bind_staying();
	say(" = %d", epoll_wait(set, &event, 1, 0));
	close(set);
}

static void shut_staying(void)
{
	int how = (int)below(3);

	say(" shutdown %d", how);
	SAY_CALL(shutdown(staying, how));
}

void step_stay(void)
{
	static const struct {
		int family, type, protocol;
	} kinds[] = {{AF_INET, SOCK_RAW, IPPROTO_ICMP},
	             {AF_INET, SOCK_RAW, IPPROTO_RAW},
	             {AF_INET, SOCK_RAW, IPPROTO_UDP},
	             {AF_INET, SOCK_RAW, IPPROTO_TCP},
	             {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
	             {AF_INET6, SOCK_RAW, IPPROTO_RAW},
	             {AF_INET6, SOCK_RAW, IPPROTO_UDP},
	             {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
	             {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
	             {AF_INET, SOCK_STREAM, IPPROTO_SCTP},
	             {AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP},
	             {AF_INET6, SOCK_DCCP, IPPROTO_DCCP},
	             {AF_PACKET, SOCK_RAW, 0},
	             {AF_PACKET, SOCK_DGRAM, 0},
	             {AF_NETLINK, SOCK_RAW, 0},
	             {AF_NETLINK, SOCK_DGRAM, 16},
	             {AF_ALG, SOCK_SEQPACKET, 0},
	             {AF_VSOCK, SOCK_STREAM, 0},
	             {AF_VSOCK, SOCK_DGRAM, 0},
	             {AF_UNIX, SOCK_SEQPACKET, 0},
	             {AF_UNIX, SOCK_STREAM, 0}};
	static void (*const ways[])(void) = {
	    set_own, set_own, set_own, bind_staying, listen_staying, wait_staying, shut_staying};
	const size_t kind = below(sizeof(kinds) / sizeof(kinds[0]));
	uint64_t cookie;

	family = kinds[kind].family;
	say("stay %d %d %d", family, kinds[kind].type, kinds[kind].protocol);
	SAY_CALL(staying = socket(family, kinds[kind].type | SOCK_NONBLOCK, kinds[kind].protocol));
	cookie = pair_socket_cookie(staying);
	for (int i = 0; i < LONGEST_STAY && staying >= 0; i++)
		ONE_OF(ways)();
	show_state(staying);
	say(cookie == pair_socket_cookie(staying) ? " it stays" : " it moves");
	close(staying);
}
