/* SPDX-License-Identifier: MIT */
/*
 * test_verify.c - a new socket of each family is accepted, a used one is not
 *
 * Families that this machine or user cannot make are skipped, except AF_INET, AF_UNIX and
 * AF_NETLINK.
 */
#include "test.h"

#include "core/sys.h"
#include "core/verify.h"
#include "support/bpf.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static const struct wire_request tcp = {AF_INET, SOCK_STREAM, 0};
static const struct wire_request local = {AF_UNIX, SOCK_STREAM, 0};
static const struct wire_request route = {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE};
static const struct wire_request vsock = {AF_VSOCK, SOCK_STREAM, 0};

/* What the kernel reports for every socket, if type is not 0: few kernels have these protocols. */
static struct {
	int type, protocol;
} pretended;

/* An option of SOL_SOCKET that may not be read, as under seccomp(2). */
static int forbidden_option;

/* A system call that may not be made. */
static long forbidden_call;

#define FORBIDDEN EXDEV /* an errno that nothing else here returns */

static int refusal = FORBIDDEN;

long sys_call(long number, const long args[6])
{
	if (forbidden_call && number == forbidden_call)
		return -refusal;
	if (forbidden_option && number == SYS_getsockopt && args[1] == SOL_SOCKET &&
	    args[2] == forbidden_option)
		return -refusal;
	if (pretended.type && number == SYS_getsockopt && args[1] == SOL_SOCKET &&
	    (args[2] == SO_TYPE || args[2] == SO_PROTOCOL)) {
		*(int *)args[3] = args[2] == SO_TYPE ? pretended.type : pretended.protocol;
		return 0;
	}
	return test_enter(number, args);
}

static int make(const struct wire_request *kind)
{
	return socket(kind->domain, kind->type, kind->protocol);
}

static void verify_consume(int fd, const struct wire_request *kind, int expected)
{
	CHECK_EQ(verify_socket(fd, kind), expected);
	close(fd);
}

/* A bound socket is not accepted. */
static void bind_and_verify_consume(int fd, const struct wire_request *kind, const void *name,
                                    socklen_t len)
{
	CHECK_EQ(bind(fd, name, len), 0);
	verify_consume(fd, kind, -EBADMSG);
}

static void test_fresh(void)
{
	const int every = htons(ETH_P_ALL);
	const struct wire_request kinds[] = {
	    tcp,
	    {AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP},
	    {AF_INET6, SOCK_DGRAM, 0},
	    {AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
	    {AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
	    {AF_INET, SOCK_RAW, IPPROTO_ICMP},
	    {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
	    {AF_INET, SOCK_RAW, IPPROTO_RAW},
	    local,
	    {AF_UNIX, SOCK_DGRAM, AF_UNIX},
	    {AF_UNIX, SOCK_RAW, 0},
	    {AF_UNIX, SOCK_SEQPACKET, 0},
	    route,
	    {AF_NETLINK, SOCK_DGRAM, NETLINK_GENERIC},
	    {AF_PACKET, SOCK_RAW, every},
	    {AF_PACKET, SOCK_DGRAM, 0},
	    {AF_PACKET, SOCK_PACKET, every},
	    {AF_INET, SOCK_PACKET, every},
	    vsock,
	};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		int fd = make(&kinds[i]);

		if (fd < 0 && kinds[i].type != SOCK_RAW && kinds[i].protocol < IPPROTO_UDPLITE)
			CHECK(kinds[i].domain != AF_INET && kinds[i].domain != AF_UNIX &&
			      kinds[i].domain != AF_NETLINK);
		if (fd >= 0)
			verify_consume(fd, &kinds[i], 0);
	}
}

/* Protocol 0 lets the family choose. The choices of IPv4 and IPv6 are known. */
static void test_chosen_protocol(void)
{
	const struct wire_request sctp = {AF_INET, SOCK_SEQPACKET, 0};
	const struct wire_request dccp = {AF_INET, SOCK_DCCP, 0};

	pretended.type = SOCK_SEQPACKET;
	pretended.protocol = IPPROTO_SCTP;
	verify_consume(make(&tcp), &sctp, 0);
	verify_consume(make(&tcp), &tcp, -EBADMSG);
	pretended.type = SOCK_DCCP;
	verify_consume(make(&tcp), &dccp, -EBADMSG);
	pretended.protocol = IPPROTO_DCCP;
	verify_consume(make(&tcp), &dccp, 0);
	pretended.type = SOCK_STREAM;
	verify_consume(make(&local), &local, 0);
	pretended.type = 0;
}

static void test_other_kind(void)
{
	const struct wire_request generic = {AF_NETLINK, SOCK_RAW, NETLINK_GENERIC};
	const struct wire_request packets = {AF_UNIX, SOCK_SEQPACKET, 0};
	const struct wire_request raw = {AF_INET, SOCK_RAW, 0}; /* does not exist */
	int icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	if (icmp >= 0)
		verify_consume(icmp, &raw, -EBADMSG);
	verify_consume(make(&generic), &route, -EBADMSG);
	verify_consume(make(&packets), &local, -EBADMSG);
	verify_consume(make(&local), &tcp, -EBADMSG);
	verify_consume(make(&tcp), &local, -EBADMSG);
}

/* If this process may not inspect the socket, the server is not at fault. */
static void test_forbidden(void)
{
	const int names[] = {SO_TYPE, SO_PROTOCOL, SO_GET_FILTER};

	for (size_t i = 0; i < COUNT(names); i++) {
		forbidden_option = names[i];
		verify_consume(make(&tcp), &tcp, -FORBIDDEN);
		verify_consume(make(&route), &route, -FORBIDDEN);
	}
	forbidden_option = SO_DOMAIN;
	verify_consume(make(&route), &route, -FORBIDDEN);
	forbidden_option = SO_ACCEPTCONN;
	verify_consume(make(&local), &local, -FORBIDDEN);
	forbidden_option = 0;
	forbidden_call = SYS_getsockname;
	verify_consume(make(&tcp), &tcp, -FORBIDDEN);
	verify_consume(make(&local), &tcp, -EBADMSG);
	forbidden_option = SO_DOMAIN; /* nothing can be read, as under SELinux */
	verify_consume(make(&tcp), &tcp, -FORBIDDEN);
	forbidden_option = 0;
	forbidden_call = 0;
}

/* Nor if the refusal has the errno by which an extended filter is known. */
static void test_forbidden_like_extended(void)
{
	forbidden_option = SO_GET_FILTER;
	refusal = EACCES;
	verify_consume(make(&tcp), &tcp, -EACCES);
	refusal = FORBIDDEN;
	forbidden_option = 0;
}

/* A file that is not a socket is the server's fault. */
static void test_no_socket(void)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	verify_consume(fds[0], &tcp, -EBADMSG);
	verify_consume(fds[1], &local, -EBADMSG);
	verify_consume(open("/", O_PATH), &tcp, -EBADMSG);
	verify_consume(open("/", O_PATH), &local, -EBADMSG);
}

/* One socket has a port, the other one an address and no port yet. */
static void test_inet_used(void)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};
	const struct sockaddr_in name = {.sin_family = AF_INET,
	                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = make(&tcp), one = 1;

	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)), 0);
	bind_and_verify_consume(fd, &tcp, &name, sizeof(name));
	bind_and_verify_consume(make(&tcp), &tcp, &any, sizeof(any));
}

static void test_inet6_used(void)
{
	const struct wire_request tcp6 = {AF_INET6, SOCK_STREAM, 0};
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	const struct sockaddr_in6 name = {
	    .sin6_family = AF_INET6,
	    .sin6_addr.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
	};
	int fd = make(&tcp6), one = 1;

	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)), 0);
	bind_and_verify_consume(fd, &tcp6, &name, sizeof(name));
	bind_and_verify_consume(make(&tcp6), &tcp6, &any, sizeof(any));
	verify_consume(make(&tcp6), &tcp, -EBADMSG); /* all but the family is right */
}

static void test_unix_used(void)
{
	const struct sockaddr_un name = {.sun_family = AF_UNIX};
	int pair[2], fd = make(&local);

	CHECK_EQ(bind(fd, (const struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	CHECK_EQ(verify_socket(fd, &local), -EBADMSG);
	CHECK_EQ(listen(fd, 1), 0);
	verify_consume(fd, &local, -EBADMSG);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	verify_consume(pair[0], &local, -EBADMSG);
}

static void test_netlink_used(void)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};
	int fd = make(&route), group = RTNLGRP_LINK;

	CHECK_EQ(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	verify_consume(fd, &route, -EBADMSG);
	bind_and_verify_consume(make(&route), &route, &name, sizeof(name));
	fd = make(&route);
	CHECK_EQ(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	verify_consume(fd, &route, -EBADMSG);
}

static void test_packet_used(void)
{
	const int every = htons(ETH_P_ALL);
	const struct wire_request packet = {AF_PACKET, SOCK_RAW, every};
	struct sockaddr_ll name = {.sll_family = AF_PACKET, .sll_ifindex = 1};
	int fd = make(&packet);

	if (fd >= 0)
		bind_and_verify_consume(fd, &packet, &name, sizeof(name));
}

/* Its name is that of its device, and it can be requested as AF_INET. */
static void test_old_packet_used(void)
{
	const struct wire_request old = {AF_INET, SOCK_PACKET, htons(ETH_P_ALL)};
	const struct sockaddr name = {.sa_family = AF_PACKET, .sa_data = "lo"};
	int fd = make(&old);

	if (fd < 0)
		return;
	CHECK_EQ(verify_socket(fd, &tcp), -EBADMSG);
	bind_and_verify_consume(fd, &old, &name, sizeof(name));
}

static void test_vsock_used(void)
{
	struct sockaddr_vm name = {
	    .svm_family = AF_VSOCK, .svm_port = VMADDR_PORT_ANY, .svm_cid = VMADDR_CID_ANY};
	int fd = make(&vsock);

	if (fd >= 0)
		bind_and_verify_consume(fd, &vsock, &name, sizeof(name));
}

static void test_filtered(void)
{
	struct sock_filter all = {BPF_RET | BPF_K, 0, 0, 0xffff};
	struct sock_fprog program = {1, &all};
	const struct wire_request *kinds[] = {&tcp, &local};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		int fd = make(kinds[i]);

		int rc = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));

		/* Past the kernel's limit for compiled filters, attaching one needs CAP_BPF. */
		CHECK(rc == 0 || errno == EPERM);
		verify_consume(fd, kinds[i], rc == 0 ? -EBADMSG : 0);
	}
}

static void test_extended_filter(void)
{
	int fd = make(&tcp), program = load_program();

	if (program >= 0) {
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)), 0);
		close(program);
		CHECK_EQ(verify_socket(fd, &tcp), -EBADMSG);
	}
	close(fd);
}

int main(void)
{
	RUN(test_fresh);
	RUN(test_chosen_protocol);
	RUN(test_other_kind);
	RUN(test_forbidden);
	RUN(test_forbidden_like_extended);
	RUN(test_no_socket);
	RUN(test_inet_used);
	RUN(test_unix_used);
	RUN(test_netlink_used);
	RUN(test_packet_used);
	RUN(test_old_packet_used);
	RUN(test_vsock_used);
	RUN(test_filtered);
	RUN(test_extended_filter);
	test_needs_ipv6();
	RUN(test_inet6_used);
	return 0;
}
