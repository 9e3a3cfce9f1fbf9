/* SPDX-License-Identifier: MIT */
/*
 * options_unseen.c - does a bound socket still have the options that cannot be read back?
 *
 * Each option is set, the socket is bound, and something is tried that shows the option: joining a
 * group again, removing a key again, or sending. pair -c compares a run without the library with
 * one with it. options_groups.c has the groups themselves.
 */
#include "support/outcome.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>

#define GROUP 0xef050101 /* 239.5.1.1 */

/* A socket with the number of a closed one gets none of its options. */
static void test_number_again(void)
{
	int fd = pair_socket(SOCK_DGRAM);
	int again;

	show("join", pair_join_group(fd, GROUP));
	close(fd);
	again = pair_socket(SOCK_DGRAM);
	CHECK_EQ(again, fd);
	bind_any(again, AF_INET);
	show("is in", pair_join_group(again, GROUP));
	close(again);
}

/* An option set through one number is carried over when another number is bound, and the first
 * one is another socket's by then. */
static void test_other_number(void)
{
	int fd = pair_socket(SOCK_DGRAM);
	int copy;

	show("join", pair_join_group(fd, GROUP));
	copy = dup(fd);
	close(fd);
	CHECK_EQ(pair_socket(SOCK_DGRAM), fd);
	bind_any(copy, AF_INET);
	show("is in", pair_join_group(copy, GROUP));
	show("the other one is in", pair_join_group(fd, GROUP));
	close(fd);
	close(copy);
}

/* An address set by IP_MULTICAST_IF can be read back, an interface cannot. */
static void test_sender(long (*setter)(int, const void *, socklen_t))
{
	struct ip_mreqn both = {.imr_address.s_addr = htonl(INADDR_LOOPBACK), .imr_ifindex = 1};
	struct in_addr read = {0};
	socklen_t len = sizeof(read);
	int fd = pair_socket(SOCK_DGRAM);

	show("join", pair_join_group(fd, GROUP));
	show("sender", (int)setter(fd, &both.imr_address, sizeof(both.imr_address)));
	bind_any(fd, AF_INET);
	show("is in", pair_join_group(fd, GROUP));
	show("read", getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &read, &len));
	printf("%08x\n", ntohl(read.s_addr));
	close(fd);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	show("sender", (int)setter(fd, &both, sizeof(both)));
	bind_any(fd, AF_INET6);
	show("read", getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &read, &len));
	printf("%08x\n", ntohl(read.s_addr));
	close(fd);
}

static long set_sender(int fd, const void *value, socklen_t len)
{
	return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, value, len);
}

static long set_sender_raw(int fd, const void *value, socklen_t len)
{
	return syscall(SYS_setsockopt, fd, IPPROTO_IP, IP_MULTICAST_IF, value, len);
}

static void test_senders(void)
{
	test_sender(set_sender);
	test_sender(set_sender_raw);
}

/* Given by its index, the interface is used though no route leads to it. */
static void test_sender_by_index(void)
{
	const struct ip_mreqn lo = {.imr_ifindex = 1};
	struct sockaddr_in group = pair_addr(9);
	int fd = pair_socket(SOCK_DGRAM);

	group.sin_addr.s_addr = htonl(GROUP);
	SET("sender", fd, IPPROTO_IP, IP_MULTICAST_IF, lo);
	bind_any(fd, AF_INET);
	show("send", (int)sendto(fd, "x", 1, 0, (struct sockaddr *)&group, sizeof(group)));
	close(fd);
}

/* From <linux/in6.h>, which does not go together with <netinet/in.h> of every libc. */
#define IPV6_FLOWLABEL_MGR_ 32
#define IPV6_FLOWINFO_SEND_ 33
#define FLOWLABEL_PUT       1
struct flowlabel_req_ {
	struct in6_addr peer;
	uint32_t label;
	uint8_t action, share;
	uint16_t flags, expires, linger;
	uint32_t pad;
};

/* Once there is a label that only one user may send, a socket sends only those that it has. */
static void test_flow_labels(void)
{
	struct flowlabel_req_ request = {
	    .peer = IN6ADDR_LOOPBACK_INIT, .share = 3 /* user */, .flags = 1 /* create */};
	struct sockaddr_in6 peer = pair_addr6(9);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	set_number("send labels", fd, IPPROTO_IPV6, IPV6_FLOWINFO_SEND_, 1);
	for (uint32_t label = 0x12341; label <= 0x12343; label++) {
		request.label = htonl(label);
		SET("take label", fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR_, request);
	}
	request.action = FLOWLABEL_PUT;
	SET("give the last back", fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR_, request);
	bind_any(fd, AF_INET6);
	for (uint32_t label = 0x12341; label <= 0x12343; label++) {
		peer.sin6_flowinfo = htonl(label);
		show("send", (int)sendto(fd, "x", 1, 0, (struct sockaddr *)&peer, sizeof(peer)));
	}
	close(fd);
}

static void try_keys(int name)
{
	struct tcp_md5sig key = {.tcpm_keylen = 6, .tcpm_key = "secret"};
	struct sockaddr_in *peer = (struct sockaddr_in *)&key.tcpm_addr;
	int fd = pair_socket(SOCK_STREAM);

	*peer =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.0.0.1")};
	SET("key 1", fd, IPPROTO_TCP, name, key);
	peer->sin_addr.s_addr = inet_addr("10.0.0.2");
	SET("key 2", fd, IPPROTO_TCP, name, key);
	key.tcpm_keylen = 0;
	SET("no key 2", fd, IPPROTO_TCP, name, key);
	bind_any(fd, AF_INET);
	SET("no key 2 again", fd, IPPROTO_TCP, TCP_MD5SIG, key);
	peer->sin_addr.s_addr = inet_addr("10.0.0.1");
	SET("no key 1", fd, IPPROTO_TCP, TCP_MD5SIG, key);
	SET("no key 1 again", fd, IPPROTO_TCP, TCP_MD5SIG, key);
	close(fd);
}

static void test_keys(void)
{
	try_keys(TCP_MD5SIG);
	try_keys(TCP_MD5SIG_EXT);
}

int main(void)
{
	RUN(test_number_again);
	RUN(test_other_number);
	RUN(test_sender_by_index);
	RUN(test_keys);
	test_needs_ipv6();
	RUN(test_flow_labels);
	RUN(test_senders);
	return 0;
}
