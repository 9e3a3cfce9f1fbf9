/* SPDX-License-Identifier: MIT */
/* hook_bind.c - bind(2) */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/home.h"
#include "xbind/hook.h"
#include "xbind/kind.h"
#include "xbind/log.h"
#include "xbind/memory.h"
#include "xbind/real.h"
#include "xbind/swap.h"

#include <netinet/in.h>

/* The kernel takes no longer address, and no IPv6 address shorter than that of RFC 2133. */
#define ADDR_BYTES_MAX     ((socklen_t)sizeof(struct sockaddr_storage))
#define IN6_ADDR_BYTES_MIN ((socklen_t)24)

/* An address as the application gave it, in a copy that it cannot change any more. */
union inet_addr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* sin_port and sin6_port are at the same place. */
_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "one place for the port");

/* Copies the address. Return: whether it can be read, and is one for IPv4 or IPv6. */
static bool read_addr(union inet_addr *to, const void *from, socklen_t len)
{
	if (len < sizeof(struct sockaddr_in) || len > ADDR_BYTES_MAX ||
	    memory_read(to, from, len) < 0)
		return false;
	return to->any.sa_family == AF_INET || to->any.sa_family == AF_INET6 ||
	       to->any.sa_family == AF_UNSPEC;
}

/* Does the kernel take this address for a socket of this domain? For IPv4 it takes AF_UNSPEC too.
 */
static bool fits_domain(const union inet_addr *addr, socklen_t len, int domain)
{
	int family = addr->any.sa_family;

	if (domain == AF_INET6)
		return family == AF_INET6 && len >= IN6_ADDR_BYTES_MIN;
	return family == AF_INET || family == AF_UNSPEC;
}

static int leave(int fd, int port, const char *why)
{
	log_left(fd, port, why);
	return SWAP_E_LEAVE;
}

int decide_bind(int fd, const void *application_addr, socklen_t len)
{
	union inet_addr addr;
	struct swap_call call = {.fd = fd, .addr = &addr, .len = len};
	enum config_proto proto;
	int rc;

	if (!config_any())
		return leave(fd, -1, "XBIND lists no port");
	if (!read_addr(&addr, application_addr, len))
		return leave(fd, -1, "no IPv4 or IPv6 address");
	call.port = ntohs(addr.in.sin_port);
	if (!config_lists(call.port, call.port))
		return leave(fd, call.port, "the port is not listed");
	rc = kind_and_key(fd, &call.kind, &call.key);
	if (rc < 0) {
		log_failed(fd, CONFIG_PROTOS, call.port, call.port, "asking what socket it is", rc);
		return rc;
	}
	if (rc != 0 || !fits_domain(&addr, len, call.kind.domain))
		return leave(fd, call.port, "not a TCP or UDP socket of the address's family");
	proto = kind_proto(&call.kind);
	if (!config_match(proto, call.port, &call.published))
		return leave(fd, call.port, "the port is listed for the other protocol");
	if (config_all(proto) && !home_has(fd))
		return leave(fd, call.port, "a socket of another namespace than the program's own");
	addr.in.sin_port = htons(call.published);
	return swap_socket(&call);
}

int follow_bind(int fd, const void *addr, socklen_t len)
{
	int rc = decide_bind(fd, addr, len);

	return rc == SWAP_E_LEAVE ? real_bind(fd, addr, len) : rc;
}

EXPORT int hook_bind(int fd, const void *addr, socklen_t len)
{
	return hook_result(follow_bind(fd, addr, len));
}
