/* SPDX-License-Identifier: MIT */
/*
 * options_groups.c - does a bound socket still have its multicast groups, sources and anycast
 * addresses?
 *
 * They are joined, the socket is bound, and they are joined or left again. pair -c compares a run
 * without the library with one with it.
 */
#include "support/outcome.h"

#include <arpa/inet.h>

#define SOURCES 64 /* default of net.ipv6.mld_max_msf */

static struct ip_mreqn group4(const char *group)
{
	return (struct ip_mreqn){.imr_multiaddr.s_addr = inet_addr(group), .imr_ifindex = 1};
}

static struct ip_mreq_source source4(const char *group, const char *source)
{
	return (struct ip_mreq_source){
	    .imr_multiaddr.s_addr = inet_addr(group),
	    .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
	    .imr_sourceaddr.s_addr = inet_addr(source),
	};
}

/* The same in the form of IP_ADD_MEMBERSHIP that has no interface index. */
static struct ip_mreq short4(const char *group)
{
	return (struct ip_mreq){.imr_multiaddr.s_addr = inet_addr(group),
	                        .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
}

static void test_groups4(void)
{
	struct ip_mreqn a = group4("239.1.1.1"), b = group4("239.1.1.2"), c = group4("239.1.1.3");
	struct ip_mreq short_b = short4("239.1.1.2");
	int fd = pair_socket(SOCK_DGRAM);

	SET("join a", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, a);
	SET("join b", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, b);
	SET("leave b", fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, b);
	SET("join c", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, c);
	SET("join b again", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, b);
	SET("leave b in another form", fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, short_b);
	bind_any(fd, AF_INET);
	SET("is in a", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, a);
	SET("is in b", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, b);
	SET("is in c", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, c);
	close(fd);
}

static void test_sources4(void)
{
	struct ip_mreq_source one = source4("239.2.1.1", "10.0.0.1");
	struct ip_mreq_source two = source4("239.2.1.1", "10.0.0.2");
	struct ip_mreq_source three = source4("239.2.1.2", "10.0.0.3");
	struct ip_mreqn other = group4("239.2.1.2");
	int fd = pair_socket(SOCK_DGRAM);

	SET("join 1", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, one);
	SET("join 2", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, two);
	SET("leave 1", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, one);
	SET("join other", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, other);
	SET("block 3", fd, IPPROTO_IP, IP_BLOCK_SOURCE, three);
	bind_any(fd, AF_INET);
	SET("leave 1 again", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, one);
	SET("leave 2", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, two);
	SET("unblock 3", fd, IPPROTO_IP, IP_UNBLOCK_SOURCE, three);
	SET("unblock 3 again", fd, IPPROTO_IP, IP_UNBLOCK_SOURCE, three);
	close(fd);
}

static struct group_source_req either(int domain, const char *group, const char *source)
{
	struct group_source_req request = {.gsr_interface = 1};

	request.gsr_group.ss_family = request.gsr_source.ss_family = (sa_family_t)domain;
	if (domain == AF_INET) {
		inet_pton(domain, group, &((struct sockaddr_in *)&request.gsr_group)->sin_addr);
		inet_pton(domain, source, &((struct sockaddr_in *)&request.gsr_source)->sin_addr);
	} else {
		inet_pton(domain, group, &((struct sockaddr_in6 *)&request.gsr_group)->sin6_addr);
		inet_pton(domain, source, &((struct sockaddr_in6 *)&request.gsr_source)->sin6_addr);
	}
	return request;
}

/* Sets two values, or undoes the second of them. What was undone before bind cannot be undone after
 * it. all: the group of sources that are blocked, else NULL. */
static void try_undone(int domain, const struct group_req *all, int name, int undo,
                       const void *values, socklen_t len)
{
	const int level = domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	const void *second = (const char *)values + len;

	for (int undone = 0; undone < 2; undone++) {
		int fd = socket(domain, SOCK_DGRAM, 0);

		if (all)
			SET("join", fd, level, MCAST_JOIN_GROUP, *all);
		set("set", fd, level, name, values, len);
		set("set second", fd, level, name, second, len);
		if (undone)
			set("undo second", fd, level, undo, second, len);
		bind_any(fd, domain);
		set("undo later", fd, level, undo, values, len);
		set("undo second later", fd, level, undo, second, len);
		set("undo second again", fd, level, undo, second, len);
		close(fd);
	}
}

static void try_protocol_independent(int domain, const char *const groups[2],
                                     const char *const sources[2])
{
	struct group_source_req ones[2] = {either(domain, groups[0], sources[0]),
	                                   either(domain, groups[0], sources[1])};
	struct group_req all[2] = {{1, ones[0].gsr_group},
	                           {1, either(domain, groups[1], sources[0]).gsr_group}};

	try_undone(domain, NULL, MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP, all, sizeof(all[0]));
	try_undone(domain, NULL, MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, ones,
	           sizeof(ones[0]));
	try_undone(domain, all, MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE, ones, sizeof(ones[0]));
}

/* Each of two groups has a list of sources. */
static void try_two_lists(int domain, const char *const groups[2], const char *const sources[2])
{
	const int level = domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct group_filter list = {.gf_interface = 1, .gf_fmode = MCAST_EXCLUDE, .gf_numsrc = 1};
	int fd = socket(domain, SOCK_DGRAM, 0);

	for (int i = 0; i < 2; i++) {
		struct group_source_req one = either(domain, groups[i], sources[i]);
		struct group_req all = {1, one.gsr_group};

		SET("join", fd, level, MCAST_JOIN_GROUP, all);
		list.gf_group = one.gsr_group;
		list.gf_slist[0] = one.gsr_source;
		SET("list", fd, level, MCAST_MSFILTER, list);
	}
	bind_any(fd, domain);
	for (int i = 0; i < 2; i++) {
		struct group_source_req one = either(domain, groups[i], sources[i]);

		SET("unblock", fd, level, MCAST_UNBLOCK_SOURCE, one);
	}
	close(fd);
}

static void test_both_families(void)
{
	static const char *const groups4[] = {"239.3.1.1", "239.3.1.2"};
	static const char *const sources4[] = {"10.0.0.1", "10.0.0.2"};
	static const char *const groups6[] = {"ff15::1", "ff15::2"};
	static const char *const sources6[] = {"fd00::1", "fd00::2"};

	try_protocol_independent(AF_INET, groups4, sources4);
	try_protocol_independent(AF_INET6, groups6, sources6);
	try_two_lists(AF_INET, groups4, sources4);
	try_two_lists(AF_INET6, groups6, sources6);
}

static void try_addresses6(int join, int leave, const char *first, const char *second)
{
	struct ipv6_mreq addresses[] = {{.ipv6mr_interface = 1}, {.ipv6mr_interface = 1}};

	inet_pton(AF_INET6, first, &addresses[0].ipv6mr_multiaddr);
	inet_pton(AF_INET6, second, &addresses[1].ipv6mr_multiaddr);
	try_undone(AF_INET6, NULL, join, leave, addresses, sizeof(addresses[0]));
}

static void test_groups6(void)
{
	try_addresses6(IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, "ff15::a", "ff15::b");
}

static void test_anycast(void)
{
	try_addresses6(IPV6_JOIN_ANYCAST, IPV6_LEAVE_ANYCAST, "fd00::a", "fd00::b");
}

static void test_source_lists(void)
{
	union {
		struct ip_msfilter filter;
		char space[IP_MSFILTER_SIZE(3)];
	} lists = {.filter = {
	               .imsf_multiaddr.s_addr = inet_addr("239.4.1.1"),
	               .imsf_interface.s_addr = htonl(INADDR_LOOPBACK),
	               .imsf_fmode = MCAST_INCLUDE,
	               .imsf_numsrc = 3,
	           }};
	struct ip_mreq_source first = source4("239.4.1.1", "10.0.0.9");
	socklen_t len = sizeof(lists);
	int fd = pair_socket(SOCK_DGRAM);

	memcpy(lists.space + IP_MSFILTER_SIZE(0), "\x0a\0\0\1\x0a\0\0\2\x0a\0\0\3", 12);
	SET("join", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, first);
	SET("list", fd, IPPROTO_IP, IP_MSFILTER, lists);
	bind_any(fd, AF_INET);
	memset(lists.space + IP_MSFILTER_SIZE(0), 0, 12);
	show("read", getsockopt(fd, IPPROTO_IP, IP_MSFILTER, &lists, &len));
	for (socklen_t i = 0; i < sizeof(lists); i++)
		printf("%02x ", (unsigned char)lists.space[i]);
	putchar('\n');
	close(fd);
}

static void set_list(int fd, const char *group, uint32_t mode)
{
	struct ip_mreq_source first = source4(group, "10.0.0.1"),
	                      second = source4(group, "10.0.0.2");
	struct {
		uint32_t group, interface, mode, count;
		uint32_t sources[2];
	} list = {first.imr_multiaddr.s_addr,
	          first.imr_interface.s_addr,
	          mode,
	          2,
	          {first.imr_sourceaddr.s_addr, second.imr_sourceaddr.s_addr}};

	SET("list", fd, IPPROTO_IP, IP_MSFILTER, list);
}

/* Binds, and prints which of the two sources of set_list() are left. */
static void bind_and_show_sources(int fd, const char *group, int take_back)
{
	struct ip_mreq_source first = source4(group, "10.0.0.1"),
	                      second = source4(group, "10.0.0.2");

	bind_any(fd, AF_INET);
	SET("first again", fd, IPPROTO_IP, take_back, first);
	SET("second", fd, IPPROTO_IP, take_back, second);
	close(fd);
}

/* A list replaces all sources between a change and the one that would undo it. */
static void test_undone_after_a_list(void)
{
	struct ip_mreq_source blocked = source4("239.4.1.2", "10.0.0.1");
	struct ip_mreq_source wanted = source4("239.4.1.3", "10.0.0.1");
	struct ip_mreqn all = group4("239.4.1.2");
	int fd = pair_socket(SOCK_DGRAM);

	SET("join", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, all);
	SET("block", fd, IPPROTO_IP, IP_BLOCK_SOURCE, blocked);
	set_list(fd, "239.4.1.2", MCAST_EXCLUDE);
	SET("unblock", fd, IPPROTO_IP, IP_UNBLOCK_SOURCE, blocked);
	bind_and_show_sources(fd, "239.4.1.2", IP_UNBLOCK_SOURCE);
	fd = pair_socket(SOCK_DGRAM);
	SET("join 1", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, wanted);
	set_list(fd, "239.4.1.3", MCAST_INCLUDE);
	SET("leave 1", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, wanted);
	bind_and_show_sources(fd, "239.4.1.3", IP_DROP_SOURCE_MEMBERSHIP);
}

/* The first of two sources is joined or blocked still, and two groups have a list each. */
static void test_two_sources(void)
{
	struct ip_mreq_source sources[] = {source4("239.4.1.6", "10.0.0.1"),
	                                   source4("239.4.1.6", "10.0.0.2")};
	struct ip_mreq_source other = source4("239.4.1.7", "10.0.0.1");
	struct group_req all = {1, either(AF_INET, "239.4.1.6", "10.0.0.1").gsr_group};
	int fd = pair_socket(SOCK_DGRAM);

	try_undone(AF_INET, NULL, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, sources,
	           sizeof(sources[0]));
	try_undone(AF_INET, &all, IP_BLOCK_SOURCE, IP_UNBLOCK_SOURCE, sources, sizeof(sources[0]));
	SET("join", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, sources[0]);
	set_list(fd, "239.4.1.6", MCAST_INCLUDE);
	SET("join other", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, other);
	set_list(fd, "239.4.1.7", MCAST_INCLUDE);
	bind_any(fd, AF_INET);
	SET("second", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, sources[1]);
	other = source4("239.4.1.7", "10.0.0.2");
	SET("second of other", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, other);
	close(fd);
}

/* Joins and leaves with two forms of the option; each form undoes the other. */
static void test_crosswise(void)
{
	struct ip_mreqn a = group4("239.4.1.4");
	struct ip_mreq short_a = short4("239.4.1.4");
	int fd = pair_socket(SOCK_DGRAM);

	SET("join", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, a);
	SET("leave in another form", fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, short_a);
	SET("join in this form", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, short_a);
	SET("leave in the first one", fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, a);
	bind_any(fd, AF_INET);
	SET("is in", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, a);
	close(fd);
}

static void leave_last_source(const void *all, socklen_t len)
{
	struct ip_mreq_source first = source4("239.4.1.5", "10.0.0.1"),
	                      second = source4("239.4.1.5", "10.0.0.2");
	int fd = pair_socket(SOCK_DGRAM);

	set("join", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, all, len);
	SET("join 1", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, first);
	SET("join 2", fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, second);
	SET("leave 2", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, second);
	SET("leave 1", fd, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, first);
	bind_any(fd, AF_INET);
	set("is in", fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, all, len);
	close(fd);
}

/* Leaving the last source leaves the group, by whatever option it was joined. */
static void test_last_source(void)
{
	struct ip_mreqn all = group4("239.4.1.5");
	struct ip_mreq short_all = short4("239.4.1.5");

	leave_last_source(&all, sizeof(all));
	leave_last_source(&short_all, sizeof(short_all));
}

/* A list of so many sources, with room for as many as the kernel takes. */
static struct group_filter *list6(uint32_t sources)
{
	struct group_source_req one = either(AF_INET6, "ff15::2", "fd00::1");
	struct group_filter *list = calloc(1, GROUP_FILTER_SIZE(SOURCES));

	CHECK(list != NULL);
	list->gf_interface = 1;
	list->gf_group = one.gsr_group;
	list->gf_fmode = MCAST_EXCLUDE;
	list->gf_numsrc = sources;
	for (uint32_t i = 0; i < sources; i++) {
		((struct sockaddr_in6 *)&one.gsr_source)->sin6_addr.s6_addr[15] = (uint8_t)i;
		memcpy((char *)list + GROUP_FILTER_SIZE(i), &one.gsr_source,
		       sizeof(one.gsr_source));
	}
	return list;
}

/* The longest list, set when the room for long values was used up before, and beside that of
 * another socket. */
static void test_long_lists(void)
{
	struct group_req all = {.gr_interface = 1,
	                        .gr_group = either(AF_INET6, "ff15::2", "fd00::1").gsr_group};
	socklen_t len = GROUP_FILTER_SIZE(SOURCES);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), other = socket(AF_INET6, SOCK_DGRAM, 0);
	struct group_filter *list;

	SET("join", fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, all);
	for (uint32_t sources = SOURCES - 20; sources <= SOURCES; sources++) {
		list = list6(sources);
		set("long list", fd, IPPROTO_IPV6, MCAST_MSFILTER, list, len);
		free(list);
	}
	SET("join beside", other, IPPROTO_IPV6, MCAST_JOIN_GROUP, all);
	list = list6(SOURCES / 2);
	set("another list", other, IPPROTO_IPV6, MCAST_MSFILTER, list, len);
	free(list);
	bind_any(fd, AF_INET6);
	list = list6(SOURCES);
	show("read", getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, list, &len));
	printf("mode %u, sources %u\n", list->gf_fmode, list->gf_numsrc);
	free(list);
	close(other);
	close(fd);
}

int main(void)
{
	RUN(test_groups4);
	RUN(test_sources4);
	RUN(test_source_lists);
	RUN(test_undone_after_a_list);
	RUN(test_two_sources);
	RUN(test_crosswise);
	RUN(test_last_source);
	test_needs_ipv6();
	RUN(test_both_families);
	RUN(test_long_lists);
	RUN(test_groups6);
	RUN(test_anycast);
	return 0;
}
