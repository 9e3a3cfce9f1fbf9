/* SPDX-License-Identifier: MIT */
#include "xbind/group.h"

#include "xbind/options.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

/* The options that take a struct sockaddr_storage have the same numbers in both families. */
static bool is_independent(const struct option *option)
{
	return option->name >= MCAST_JOIN_GROUP && option->name <= MCAST_MSFILTER;
}

static bool is_own(const struct option *option)
{
	if (option->level == IPPROTO_IP)
		return option->name >= IP_ADD_MEMBERSHIP && option->name <= IP_MSFILTER;
	return option->name == IPV6_JOIN_GROUP || option->name == IPV6_LEAVE_GROUP ||
	       option->name == IPV6_JOIN_ANYCAST || option->name == IPV6_LEAVE_ANYCAST;
}

/* The offset of the address. Structures for a single family begin with it. */
static size_t offset_of(const struct option *option)
{
	if (!is_independent(option))
		return 0;
	return offsetof(struct group_req, gr_group) +
	       (option->level == IPPROTO_IP ? offsetof(struct sockaddr_in, sin_addr)
	                                    : offsetof(struct sockaddr_in6, sin6_addr));
}

bool group_of(int row, const uint8_t *value, size_t len, struct group *ret)
{
	const struct option *option = &options[row];
	size_t bytes =
	    option->level == IPPROTO_IP ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	if (option->level != IPPROTO_IP && option->level != IPPROTO_IPV6)
		return false;
	if (!is_independent(option) && !is_own(option))
		return false;
	if (len < offset_of(option) + bytes)
		return false;
	*ret = (struct group){value + offset_of(option), bytes};
	return true;
}

bool group_is_same(const struct group *a, const struct group *b)
{
	return a->bytes == b->bytes && memcmp(a->address, b->address, a->bytes) == 0;
}

bool group_is_same_interface(int row, const uint8_t *a, const uint8_t *b)
{
	/* where the interface is, as a number or as an address */
	const size_t at = is_independent(&options[row]) ? 0 : sizeof(struct in_addr);

	return memcmp(a + at, b + at, sizeof(uint32_t)) == 0;
}
