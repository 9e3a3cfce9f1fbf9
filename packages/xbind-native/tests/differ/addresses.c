/* SPDX-License-Identifier: MIT */
/* addresses.c - the addresses that steps choose from, and how the trace shows them */
#include "differ/differ.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

bool address_of(int fd, union address *ret, socklen_t *ret_len)
{
	*ret_len = sizeof(ret->storage);
	memset(ret, 0, sizeof(*ret));
	return getsockname(fd, &ret->any, ret_len) == 0;
}

uint16_t port_of(int fd)
{
	union address address;
	socklen_t len;

	if (!address_of(fd, &address, &len) ||
	    (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6))
		return 0;
	return ntohs(address.in.sin_port);
}

/* With the server in another namespace, sockets that the library has not moved cannot reach
 * those there. */
bool may_talk(int fd)
{
	union address address;
	socklen_t len;

	if (!sequence.away)
		return true;
	if (!address_of(fd, &address, &len) ||
	    (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6))
		return true;
	return !sequence.apart && port_of(fd) != 0;
}

void publish(union address *address)
{
	int at = ntohs(address->in.sin_port) - sequence.first_port;

	if (at >= 0 && at < PORTS &&
	    (address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6))
		address->in.sin_port = htons((uint16_t)(sequence.first_published + at));
}

uint16_t a_port(void)
{
	if (one_in(6))
		return 0;
	if (one_in(20))
		return 80;
	return (uint16_t)(sequence.first_port + below(one_in(2) ? 2 : PORTS));
}

static socklen_t an_ipv4(struct sockaddr_in *ret)
{
	static const uint32_t hosts[] = {INADDR_ANY,       INADDR_ANY, INADDR_LOOPBACK,
	                                 INADDR_LOOPBACK,  0x7f000002, 0xc0000201,
	                                 INADDR_BROADCAST, 0xe0000001, 0xef010203};

	*ret = (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons(a_port()),
	    .sin_addr.s_addr = htonl(hosts[one_in(2) ? below(4) : below(9)]),
	};
	return sizeof(*ret);
}

static socklen_t an_ipv6(struct sockaddr_in6 *ret)
{
	static const char *const hosts[] = {
	    "::",          "::",      "::1",    "::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
	    "2001:db8::1", "fe80::1", "ff02::1"};

	memset(ret, 0, sizeof(*ret));
	ret->sin6_family = AF_INET6;
	ret->sin6_port = htons(a_port());
	inet_pton(AF_INET6, hosts[one_in(2) ? below(4) : below(9)], &ret->sin6_addr);
	/* Not with a link-local host or group: if there is no such address, the kernel keeps the
	 * scope though bind fails, and the library does not. */
	if (one_in(4) && ret->sin6_addr.s6_addr[0] < 0xfe)
		ret->sin6_scope_id = below(3);
	if (one_in(20))
		ret->sin6_flowinfo = htonl(0x12345);
	return sizeof(*ret);
}

static socklen_t an_unix(struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (one_in(3))
		return sizeof(sa_family_t);
	memcpy(ret->sun_path, "\0differ-0", 9);
	ret->sun_path[8] = (char)('0' + below(3));
	memcpy(ret->sun_path + 9, &sequence.seed, 4);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 13);
}

static int domain_of(int fd)
{
	return option_of(fd, SOL_SOCKET, SO_DOMAIN, AF_INET);
}

socklen_t an_address(int fd, union address *ret)
{
	static const socklen_t lengths[] = {0,  1,  2,  8,  15,  16,  17,  23,
	                                    24, 27, 28, 29, 128, 129, 200, (socklen_t)-1};
	static const sa_family_t families[] = {AF_UNSPEC, AF_UNSPEC,  AF_UNIX, AF_INET,
	                                       AF_INET6,  AF_NETLINK, 99};
	int domain = one_in(20) ? (one_in(2) ? AF_INET : AF_INET6) : domain_of(fd);
	socklen_t len;

	memset(ret, 0, sizeof(*ret));
	if (domain == AF_INET)
		len = an_ipv4(&ret->in);
	else if (domain == AF_INET6)
		len = an_ipv6(&ret->in6);
	else
		len = an_unix(&ret->un);
	if (domain != AF_UNIX && domain_of(fd) != AF_UNIX && one_in(15))
		ret->any.sa_family = ONE_OF(families); /* else a UNIX socket would make a file */
	return one_in(15) ? ONE_OF(lengths) : len;
}

static void say_port(uint16_t port)
{
	int at = port - sequence.first_port, at_published = port - sequence.first_published;

	if (at >= 0 && at < PORTS)
		say(":p%d", at);
	else if (at_published >= 0 && at_published < PORTS)
		say(":p%d", at_published);
	else if (port >= RESERVED_PORT && port < 1024)
		say(":reserved");
	else if (port >= EPHEMERAL_PORT)
		say(":chosen");
	else
		say(":%d", port);
}

void say_address(const union address *address, socklen_t len)
{
	const struct sockaddr_in *in = &address->in;
	const struct sockaddr_in6 *in6 = &address->in6;
	char host[INET6_ADDRSTRLEN] = "";

	say(" [%d len %d ", address->any.sa_family, (int)len);
	if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		say("%s%%%u/%x", host, in6->sin6_scope_id, ntohl(in6->sin6_flowinfo));
		say_port(ntohs(in6->sin6_port));
	} else if (address->any.sa_family == AF_UNIX) {
		if (len > 10) /* the kernel chooses a shorter one */
			say_bytes(address->bytes + 2, 9);
	} else {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		say("%s", host);
		say_port(ntohs(in->sin_port));
	}
	say("]");
}
