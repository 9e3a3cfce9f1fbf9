/* SPDX-License-Identifier: MIT */
/*
 * options_policies.c - IPsec policies of a socket; each family has two options for them
 *
 * pair -c compares a run without the library with one with it.
 */
#include "support/outcome.h"

#include <linux/netlink.h>
#include <linux/xfrm.h>

static void send_to_loopback(const char *what, int fd, int domain)
{
	struct sockaddr_in addr = pair_addr(9);
	struct sockaddr_in6 addr6 = pair_addr6(9);

	if (domain == AF_INET6)
		show(what, (int)sendto(fd, "x", 1, 0, (struct sockaddr *)&addr6, sizeof(addr6)));
	else
		show(what, (int)sendto(fd, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)));
}

/* The policy blocks all sending, until the option without a value removes all policies. */
static void try_policy(int domain, int level, int name, int taking)
{
	struct xfrm_userpolicy_info policy = {
	    .sel.family = (unsigned short)domain,
	    .lft = {XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF, 0, 0, 0, 0},
	    .dir = XFRM_POLICY_OUT,
	    .action = XFRM_POLICY_BLOCK,
	};
	int fd = socket(domain, SOCK_DGRAM, 0);

	SET("policy", fd, level, name, policy);
	if (taking)
		set("none", fd, level, taking, NULL, 0);
	bind_any(fd, domain);
	send_to_loopback(taking ? "not blocked" : "blocked", fd, domain);
	close(fd);
}

static void test_policies(void)
{
	try_policy(AF_INET, IPPROTO_IP, IP_XFRM_POLICY, 0);
	try_policy(AF_INET, IPPROTO_IP, IP_XFRM_POLICY, IP_XFRM_POLICY);
	try_policy(AF_INET, IPPROTO_IP, IP_XFRM_POLICY, IP_IPSEC_POLICY);
}

static void test_policies_of_ipv6(void)
{
	try_policy(AF_INET6, IPPROTO_IPV6, IPV6_XFRM_POLICY, 0);
	try_policy(AF_INET6, IPPROTO_IPV6, IPV6_XFRM_POLICY, IPV6_XFRM_POLICY);
	try_policy(AF_INET6, IPPROTO_IPV6, IPV6_XFRM_POLICY, IPV6_IPSEC_POLICY);
}

int main(void)
{
	/* Loads the module that reads policies, if that is a module. */
	close(socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM));
	RUN(test_policies);
	test_needs_ipv6();
	RUN(test_policies_of_ipv6);
	return 0;
}
