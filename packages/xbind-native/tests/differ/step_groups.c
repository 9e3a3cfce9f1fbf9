/* SPDX-License-Identifier: MIT */
/* step_groups.c - multicast groups and their sources, set and undone in any order */
#include "differ/differ.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#define GROUPS   2
#define SOURCES  3
#define LOOPBACK 1 /* its interface index */

/* The values of IP_MSFILTER and MCAST_MSFILTER, which end with the sources. */
struct list_ipv4 {
	struct in_addr group, interface;
	uint32_t mode, count;
	struct in_addr sources[SOURCES];
};

struct list {
	uint32_t interface;
	struct sockaddr_storage group;
	uint32_t mode, count;
	struct sockaddr_storage sources[SOURCES];
};

struct membership {
	uint32_t interface;
	struct sockaddr_storage group, source;
};

static int level_of(int family)
{
	return family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

static struct in_addr source_ipv4(uint32_t number)
{
	return (struct in_addr){htonl(INADDR_LOOPBACK + number)};
}

static struct in_addr group_ipv4(uint32_t number)
{
	return (struct in_addr){htonl(0xef010200 + number)};
}

static struct sockaddr_storage host(int family, struct in_addr ipv4, uint8_t prefix,
                                    uint32_t number)
{
	union address address = {.any.sa_family = (sa_family_t)family};

	if (family == AF_INET) {
		address.in.sin_addr = ipv4;
	} else {
		address.in6.sin6_addr.s6_addr[0] = prefix;
		address.in6.sin6_addr.s6_addr[1] = prefix ? 2 : 0; /* link-local scope */
		address.in6.sin6_addr.s6_addr[15] = (uint8_t)(1 + number);
	}
	return address.storage;
}

static struct sockaddr_storage source(int family, uint32_t number)
{
	return host(family, source_ipv4(number), 0, number);
}

static struct sockaddr_storage group(int family, uint32_t number)
{
	return host(family, group_ipv4(number), 0xff, number);
}

static void set_list_ipv4(int fd)
{
	uint32_t number = below(GROUPS);
	struct list_ipv4 list = {.group = group_ipv4(number),
	                         .interface.s_addr = htonl(INADDR_LOOPBACK),
	                         .mode = below(2),
	                         .count = below(SOURCES + 1)};

	for (uint32_t i = 0; i < SOURCES; i++)
		list.sources[i] = source_ipv4(below(SOURCES));
	say(" list %u mode %u of %u", number, list.mode, list.count);
	SAY_CALL(setsockopt(fd, IPPROTO_IP, IP_MSFILTER, &list,
	                    (socklen_t)(offsetof(struct list_ipv4, sources) +
	                                list.count * sizeof(list.sources[0]))));
}

static void set_list(int fd, int family)
{
	uint32_t number = below(GROUPS);
	struct list list = {.interface = LOOPBACK,
	                    .group = group(family, number),
	                    .mode = below(2),
	                    .count = below(SOURCES + 1)};

	for (uint32_t i = 0; i < SOURCES; i++)
		list.sources[i] = source(family, below(SOURCES));
	say(" list %d.%u mode %u of %u", family, number, list.mode, list.count);
	SAY_CALL(setsockopt(
	    fd, level_of(family), MCAST_MSFILTER, &list,
	    (socklen_t)(offsetof(struct list, sources) + list.count * sizeof(list.sources[0]))));
}

/* Removing a source that is not there fails, but may change the filter mode: xbind(7). */
static bool leaves_a_trace(int name, int rc)
{
	return rc < 0 && errno == EADDRNOTAVAIL &&
	       (name == MCAST_UNBLOCK_SOURCE || name == MCAST_LEAVE_SOURCE_GROUP);
}

static void set_membership(int fd, int family)
{
	uint32_t number = below(GROUPS);
	int name = MCAST_JOIN_GROUP + (int)below(6), rc;
	struct membership request = {.interface = LOOPBACK,
	                             .group = group(family, number),
	                             .source = source(family, below(SOURCES))};
	const socklen_t longer = sizeof(request), shorter = offsetof(struct membership, source);
	bool plain = name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP;
	bool trace;

	say(" %d of %d.%u", name, family, number);
	before_call();
	rc = setsockopt(fd, level_of(family), name, &request, plain ? shorter : longer);
	trace = leaves_a_trace(name, rc);
	say_result(rc);
	if (trace)
		setsockopt(fd, level_of(family), MCAST_LEAVE_GROUP, &request, shorter);
}

static void show_group(int fd, int family, uint32_t number)
{
	struct list list = {
	    .interface = LOOPBACK, .group = group(family, number), .count = SOURCES};
	socklen_t len = sizeof(list);

	if (getsockopt(fd, level_of(family), MCAST_MSFILTER, &list, &len) < 0)
		return;
	say(" group %d.%u mode %u of %u:", family, number, list.mode, list.count);
	/* there may be more, since a list may name one twice */
	for (uint32_t i = 0; i < list.count && i < SOURCES; i++)
		say_bytes(&list.sources[i], sizeof(struct sockaddr_in6));
}

/* Uses a socket of its own, since the combination of several calls matters. */
void step_groups(void)
{
	int domain = one_in(2) ? AF_INET : AF_INET6, fd = socket(domain, SOCK_DGRAM, 0);
	union address any = {.any.sa_family = (sa_family_t)domain};

	say("groups");
	do {
		int family = one_in(3) ? AF_INET : domain;

		if (family == AF_INET && one_in(4))
			set_list_ipv4(fd);
		else if (one_in(4))
			set_list(fd, family);
		else
			set_membership(fd, family);
	} while (!one_in(8));
	say(" bind");
	SAY_CALL(bind(fd, &any.any, sizeof(any.storage)));
	for (uint32_t i = 0; i < GROUPS; i++) {
		show_group(fd, AF_INET, i);
		show_group(fd, AF_INET6, i);
	}
	close(fd);
}
