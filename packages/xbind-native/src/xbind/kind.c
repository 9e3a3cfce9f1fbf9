/* SPDX-License-Identifier: MIT */
#include "xbind/kind.h"

#include "core/sys.h"

#include <errno.h>
#include <netinet/in.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int read_int(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	int rc = sys_getsockopt(fd, SOL_SOCKET, name, &value, &len);

	return rc < 0 ? rc : value;
}

static bool is_moved_kind(int type, int protocol)
{
	if (type == SOCK_STREAM)
		return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
	return type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE);
}

int kind_read(int fd, struct kind *ret)
{
	struct kind kind = {.domain = read_int(fd, SO_DOMAIN)};

	if (kind.domain < 0 && kind.domain != -EBADF && kind.domain != -ENOTSOCK)
		return kind.domain;
	if (kind.domain != AF_INET && kind.domain != AF_INET6)
		return KIND_E_OTHER;
	kind.type = read_int(fd, SO_TYPE);
	kind.protocol = read_int(fd, SO_PROTOCOL);
	if (!is_moved_kind(kind.type, kind.protocol))
		return KIND_E_OTHER;
	*ret = kind;
	return 0;
}

enum config_proto kind_proto(const struct kind *kind)
{
	return kind->type == SOCK_STREAM ? CONFIG_TCP : CONFIG_UDP;
}

bool kind_is_unbound(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} name = {0};
	socklen_t len = sizeof(name);

	if (sys_getsockname(fd, &name, &len) < 0)
		return false;
	if (name.any.sa_family == AF_INET)
		return name.in.sin_port == 0;
	return name.any.sa_family == AF_INET6 && name.in6.sin6_port == 0;
}
