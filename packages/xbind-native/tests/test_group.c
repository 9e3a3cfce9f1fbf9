/* SPDX-License-Identifier: MIT */
/* test_group.c - source lists on several interfaces; other tests have one interface */
#include "test.h"
#include "xbind/group.h"
#include "xbind/options.h"

static void test_own_list(void)
{
	const int row = option_find(IPPROTO_IP, IP_MSFILTER);
	const struct ip_msfilter first = {.imsf_multiaddr = {3}, .imsf_interface = {1}};
	const struct ip_msfilter second = {.imsf_multiaddr = {3}, .imsf_interface = {2}};

	CHECK(group_is_same_interface(row, (const void *)&first, (const void *)&first));
	CHECK(!group_is_same_interface(row, (const void *)&first, (const void *)&second));
}

static void test_independent_list(void)
{
	const int row = option_find(IPPROTO_IPV6, MCAST_MSFILTER);
	const struct group_filter first = {.gf_interface = 1}, second = {.gf_interface = 2};

	CHECK(group_is_same_interface(row, (const void *)&first, (const void *)&first));
	CHECK(!group_is_same_interface(row, (const void *)&first, (const void *)&second));
}

static bool is_flagged(int level, int name, int flag)
{
	return options[option_find(level, name)].flags & flag;
}

/* The options for sources have several names. */
static void test_sources(void)
{
	CHECK(is_flagged(IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, OPTION_ONE_SOURCE));
	CHECK(is_flagged(IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, OPTION_ONE_SOURCE));
	CHECK(is_flagged(IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, OPTION_ONE_SOURCE));
	CHECK(is_flagged(IPPROTO_IP, IP_MSFILTER, OPTION_ALL_SOURCES));
	CHECK(is_flagged(IPPROTO_IP, MCAST_MSFILTER, OPTION_ALL_SOURCES));
	CHECK(is_flagged(IPPROTO_IPV6, MCAST_MSFILTER, OPTION_ALL_SOURCES));
}

static void test_family(void)
{
	static const uint8_t address[16] = {224};
	const struct group four = {address, 4}, six = {address, 16};

	CHECK(group_is_same(&four, &four));
	CHECK(!group_is_same(&four, &six));
	CHECK(!group_is_same(&six, &four));
}

int main(void)
{
	RUN(test_own_list);
	RUN(test_independent_list);
	RUN(test_sources);
	RUN(test_family);
	return 0;
}
