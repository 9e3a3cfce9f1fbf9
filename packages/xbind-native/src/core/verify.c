/* SPDX-License-Identifier: MIT */
/*
 * verify.c - four system calls that tell a fresh socket
 *
 * How it works: getsockname(2) alone tells the family of an IPv4 or IPv6 socket and that it has
 * no port; a connected or listening one always has a port. Other families are asked by SO_DOMAIN,
 * and must not have an address longer than that of a new socket.
 */
#include "core/verify.h"
#include "core/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static bool option_is(int fd, int name, int expected)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return sys_getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 && value == expected;
}

static bool protocol_is(int fd, const struct wire_request *request)
{
	int expected = request->protocol;

	if (expected == 0 && request->domain != AF_INET && request->domain != AF_INET6)
		return true; /* 0 is "the family's choice", which only it knows */
	if (expected == 0)
		expected =
		    (request->type & VERIFY_TYPE_MASK) == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	return option_is(fd, SO_PROTOCOL, expected);
}

/* A raw socket shows its protocol where others have their port. */
static bool port_is_fresh(in_port_t port, const struct wire_request *request)
{
	return port == 0 || (request->type & VERIFY_TYPE_MASK) == SOCK_RAW;
}

static bool inet_is_fresh(int fd, const struct wire_request *request)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} name = {0};
	socklen_t len = sizeof(name);

	if (sys_getsockname(fd, &name, &len) < 0 || name.any.sa_family != request->domain)
		return false;
	if (request->domain == AF_INET)
		return port_is_fresh(name.in.sin_port, request) &&
		       name.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return port_is_fresh(name.in6.sin6_port, request) &&
	       memcmp(&name.in6.sin6_addr, &in6addr_any, sizeof(in6addr_any)) == 0;
}

static bool other_is_fresh(int fd, const struct wire_request *request)
{
	return option_is(fd, SO_DOMAIN, request->domain) && option_is(fd, SO_ACCEPTCONN, 0);
}

/* An extended BPF filter cannot be read (EACCES), a classic one tells its length. */
static bool is_unfiltered(int fd)
{
	socklen_t len = 0;

	return sys_getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len) == 0 && len == 0;
}

int verify_socket(int fd, const struct wire_request *request)
{
	bool inet = request->domain == AF_INET || request->domain == AF_INET6;

	if (!(inet ? inet_is_fresh(fd, request) : other_is_fresh(fd, request)))
		return -EBADMSG;
	if (!option_is(fd, SO_TYPE, request->type & VERIFY_TYPE_MASK) || !protocol_is(fd, request))
		return -EBADMSG;
	return is_unfiltered(fd) ? 0 : -EBADMSG;
}
