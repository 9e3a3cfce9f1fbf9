/* SPDX-License-Identifier: MIT */
#include "xbind/kind.h"

#include "core/sys.h"
#include "xbind/fdtable.h"

#include <errno.h>
#include <netinet/in.h>

/*
 * IP_PROTOCOL, since Linux 6.1, reads as the local port of a TCP or UDP socket. Unlike
 * getsockname(2) it does not show the former port of a listener that was ended by shutdown(2).
 */
#define IP_PROTOCOL_ 52

static bool is_moved_kind(int type, int protocol)
{
	if (type == SOCK_STREAM)
		return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP_;
	return type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE);
}

int kind_read(int fd, struct kind *ret)
{
	struct kind kind = {.domain = sys_getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN)};

	if (kind.domain < 0 && kind.domain != -EBADF && kind.domain != -ENOTSOCK)
		return kind.domain;
	if (kind.domain != AF_INET && kind.domain != AF_INET6)
		return KIND_E_OTHER;
	kind.type = sys_getsockopt_int(fd, SOL_SOCKET, SO_TYPE);
	kind.protocol = sys_getsockopt_int(fd, SOL_SOCKET, SO_PROTOCOL);
	if (kind.type < 0 || kind.protocol < 0)
		return kind.type < 0 ? kind.type : kind.protocol;
	if (!is_moved_kind(kind.type, kind.protocol))
		return KIND_E_OTHER;
	*ret = kind;
	return 0;
}

int kind_and_key(int fd, struct kind *ret, socket_key *ret_key)
{
	struct kind kind;
	socket_key key;
	int rc;

	do {
		key = key_of(fd);
		rc = kind_read(fd, &kind);
	} while (key_of(fd) != key);
	if (rc != 0)
		return rc;
	*ret = kind;
	*ret_key = key;
	return 0;
}

int kind_number_of(socket_key key, int before)
{
	int fd;

	if (key_of(before) == key)
		return before;
	fd = fdtable_end();
	do
		fd--;
	while (fd >= 0 && key_of(fd) != key);
	return fd;
}

enum config_proto kind_proto(const struct kind *kind)
{
	return kind->type == SOCK_STREAM ? CONFIG_TCP : CONFIG_UDP;
}

union name {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* The family is AF_UNSPEC where there is no name. */
static int read_name(int fd, union name *ret)
{
	socklen_t len = sizeof(*ret);

	*ret = (union name){0};
	return sys_getsockname(fd, ret, &len);
}

bool kind_is_unbound(int fd)
{
	const int port = sys_getsockopt_int(fd, IPPROTO_IP, IP_PROTOCOL_);
	union name name;
	int rc;

	if (port >= 0)
		return port == 0;
	rc = read_name(fd, &name);
	if (rc < 0) /* refused: its port is not to open at home, and bind(2) will say so */
		return rc != -EBADF && rc != -ENOTSOCK;
	if (name.any.sa_family == AF_INET)
		return name.in.sin_port == 0;
	return name.any.sa_family == AF_INET6 && name.in6.sin6_port == 0;
}

bool kind_has_address(int fd)
{
	union name name;

	read_name(fd, &name);
	if (name.any.sa_family == AF_INET)
		return name.in.sin_addr.s_addr != htonl(INADDR_ANY);
	return name.any.sa_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&name.in6.sin6_addr);
}
