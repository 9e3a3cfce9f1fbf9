/* SPDX-License-Identifier: MIT */
/*
 * options_unseen.c - does a bound socket still have the options that cannot be read back?
 *
 * Each option is set, the socket is bound, and something is tried that shows the option: joining a
 * group again, or removing a key again. pair -c compares a run without the library with one with
 * it. options_groups.c has the groups themselves.
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
	RUN(test_keys);
	test_needs_ipv6();
	RUN(test_senders);
	return 0;
}
