/* SPDX-License-Identifier: MIT */
/* step_shaped.c - options with structured values: memberships, filters, keys, devices, times */
#include "differ/differ.h"
#include "support/bpf.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Sometimes the value is at the end of readable memory, and cut. */
static void set_shaped(int fd, int level, int name, const void *value, socklen_t len)
{
	bool cut = one_in(4);

	if (sequence.execs && is_unreadable(level, name))
		return;
	say("setsockopt %d %d %d len %d", fd, level, name, (int)len);
	if (one_in(6)) {
		value = at_the_edge(value, len, cut);
		len += one_in(3) ? below(4) : 0;
		say(" of %d%s at the edge", (int)len, cut ? " cut" : "");
	}
	SAY_CALL(setsockopt(fd, level, name, value, len));
}

static void set_device(int fd)
{
	static const char *const names[] = {"lo", "lo", "", "nodevice"};
	static const int indexes[] = {1, 0, 99};
	const char *name = ONE_OF(names);

	if (one_in(2))
		set_shaped(fd, SOL_SOCKET, SO_BINDTODEVICE, name,
		           (socklen_t)strlen(name) + below(2));
	else
		set_shaped(fd, SOL_SOCKET, 62, &ONE_OF(indexes), sizeof(int));
}

static struct in_addr a_group(void)
{
	return (struct in_addr){htonl(0xef010200 + below(3))};
}

static void join_ipv4(int fd)
{
	static const int names[] = {IP_ADD_MEMBERSHIP, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP,
	                            IP_MULTICAST_IF};
	static const int source_names[] = {IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP,
	                                   IP_BLOCK_SOURCE, IP_UNBLOCK_SOURCE};
	struct ip_mreqn group = {.imr_multiaddr = a_group(), .imr_ifindex = one_in(5) ? 99 : 1};
	struct ip_mreq_source source = {.imr_multiaddr = a_group(),
	                                .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
	                                .imr_sourceaddr.s_addr = htonl(0x7f000001 + below(2))};

	if (one_in(2))
		set_shaped(fd, IPPROTO_IP, ONE_OF(names), &group, sizeof(group) - 4 * below(2));
	else
		set_shaped(fd, IPPROTO_IP, ONE_OF(source_names), &source, sizeof(source));
}

static void join_ipv6(int fd)
{
	static const int names[] = {20, 20, 21, 27, 28, 17};
	struct ipv6_mreq group = {.ipv6mr_interface = one_in(5) ? 99 : 1};

	inet_pton(AF_INET6, one_in(2) ? "ff02::77" : "ff02::78", &group.ipv6mr_multiaddr);
	set_shaped(fd, IPPROTO_IPV6, ONE_OF(names), &group, sizeof(group));
}

static void join_any(int fd)
{
	struct group_source_req request = {.gsr_interface = 1};
	struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr = a_group()};
	struct sockaddr_in source = {.sin_family = AF_INET,
	                             .sin_addr.s_addr = htonl(0x7f000001 + below(2))};
	int name = MCAST_JOIN_GROUP + (int)below(6);
	bool plain = name == MCAST_JOIN_GROUP || name == MCAST_JOIN_GROUP + 3;

	memcpy(&request.gsr_group, &group, sizeof(group));
	memcpy(&request.gsr_source, &source, sizeof(source));
	set_shaped(fd, IPPROTO_IP, name, &request,
	           plain ? sizeof(struct group_req) : sizeof(request));
}

static void set_filter(int fd)
{
	static const int names[] = {SO_ATTACH_FILTER, SO_ATTACH_FILTER, 51};
	static const uint32_t lengths[] = {0, 4, 60, 0xffffffff};
	struct sock_filter code[80];
	struct sock_fprog program = {.len = (unsigned short)(one_in(4) ? below(80) : 1),
	                             .filter = code};

	for (int i = 0; i < 80; i++)
		code[i] = (struct sock_filter){BPF_LD | BPF_IMM, 0, 0, (uint32_t)i};
	if (program.len > 0)
		code[program.len - 1] =
		    (struct sock_filter){BPF_RET | BPF_K, 0, 0, ONE_OF(lengths)};
	set_shaped(fd, SOL_SOCKET, ONE_OF(names), &program, sizeof(program));
}

static int a_program(void)
{
	struct bpf_insn code[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = one_in(2) ? 0 : 0x7fffffff},
	    {.code = BPF_JMP | BPF_EXIT},
	};

	return load_code(BPF_PROG_TYPE_SOCKET_FILTER, code, 2);
}

static void set_program(int fd)
{
	int program = a_program();

	set_shaped(fd, SOL_SOCKET, one_in(2) ? 50 : 52, &program, sizeof(program));
	if (program >= 0)
		close(program);
}

static void set_time(int fd)
{
	/* A negative time reads as zero: xbind(7). */
	struct timeval time = {.tv_sec = (int)below(2), .tv_usec = (int)below(3) * 1000};
	struct linger linger = {.l_onoff = (int)below(2), .l_linger = (int)below(2)};

	if (one_in(2))
		set_shaped(fd, SOL_SOCKET, one_in(2) ? SO_RCVTIMEO : SO_SNDTIMEO, &time,
		           sizeof(time));
	else
		set_shaped(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void set_key(int fd)
{
	struct tcp_md5sig key = {.tcpm_keylen = (uint16_t)(one_in(4) ? 0 : 5), .tcpm_key = "abcd"};
	struct sockaddr_in peer = {.sin_family = AF_INET,
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memcpy(&key.tcpm_addr, &peer, sizeof(peer));
	set_shaped(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key));
}

static void set_congestion(int fd)
{
	static const char *const names[] = {"reno", "cubic", "reno"};
	const char *name = ONE_OF(names);

	/* connect(2) to AF_UNSPEC removes it from an MPTCP socket. */
	if (sequence.there && protocol_of(fd) == IPPROTO_MPTCP)
		return;
	set_shaped(fd, IPPROTO_TCP, 13, name, (socklen_t)strlen(name));
}

static void set_headers(int fd)
{
	static const uint8_t ipv4[] = {7, 7, 4, 0, 0, 0, 0, 0};
	static const uint8_t ipv6[16] = {0, 0, 1, 4};
	static const int names[] = {54, 59};
	struct in6_pktinfo info = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT, .ipi6_ifindex = below(2)};

	if (one_in(3))
		set_shaped(fd, IPPROTO_IPV6, 50, &info, sizeof(info));
	else if (one_in(2))
		set_shaped(fd, IPPROTO_IP, IP_OPTIONS, ipv4, 4 * below(3));
	else
		set_shaped(fd, IPPROTO_IPV6, ONE_OF(names), ipv6, 8 * below(2));
}

static void set_stamps(int fd)
{
	struct {
		uint32_t clock, flags;
	} txtime = {below(2) ? 1 : 11, below(4)}, stamping = {below(1 << 19), 0};
	uint32_t range = 50100 | 50200u << 16;

	switch (below(3)) {
	case 0:
		set_shaped(fd, SOL_SOCKET, 61, &txtime, sizeof(txtime));
		break;
	case 1:
		set_shaped(fd, SOL_SOCKET, 37, &stamping, sizeof(stamping));
		break;
	default:
		set_shaped(fd, IPPROTO_IP, 51, &range, sizeof(range));
	}
}

/* A label outlives its socket, so later sequences find it: anybody may share it, and it exists
 * after each call. */
static void set_flow(int fd)
{
	static const uint8_t actions[] = {0, 0, 1, 2}; /* get, put, renew */
	struct {
		struct in6_addr to;
		uint32_t label;
		uint8_t action, share;
		uint16_t flags, expires, linger;
		uint32_t unused;
	} flow = {.to = IN6ADDR_LOOPBACK_INIT,
	          .label = htonl(0x10001 + below(3)),
	          .action = ONE_OF(actions),
	          .share = 255, /* anybody */
	          .flags = 1,   /* create */
	          .expires = 60};

	set_shaped(fd, IPPROTO_IPV6, 32, &flow, sizeof(flow));
}

void step_option_shaped(void)
{
	static void (*const ways[])(int fd) = {set_device,     join_ipv4,   join_ipv6,  join_any,
	                                       set_filter,     set_program, set_time,   set_key,
	                                       set_congestion, set_headers, set_stamps, set_flow};
	int fd = a_socket();

	ONE_OF(ways)(fd);
}
