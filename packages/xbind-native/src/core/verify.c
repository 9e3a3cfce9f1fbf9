/* SPDX-License-Identifier: MIT */
/*
 * verify.c - four system calls that recognise a fresh socket
 *
 * How it works: for IPv4 and IPv6, getsockname(2) alone shows the family and that there is no port;
 * a connected or listening socket always has one. For other families SO_DOMAIN is read, and the
 * socket must have the name of a new one, and no peer.
 */
#include "core/verify.h"
#include "core/sys.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#define TYPE_MASK 0xf /* the kernel's SOCK_TYPE_MASK: the rest of type are flags */

/* What getsockname(2) and getpeername(2) write, as far as it is looked at. */
union name {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_nl netlink;
	struct sockaddr_ll packet;
	struct sockaddr_vm vm;
	struct sockaddr_storage room;
};

/*
 * Return: 0; -EBADMSG for another value, or if fd is not a socket (with O_PATH the kernel says
 *         EBADF); any other -errno comes from what forbids the call: a seccomp(2) filter, or
 *         SELinux.
 */
static int expect_option(int fd, int name, int expected)
{
	int value = sys_getsockopt_int(fd, SOL_SOCKET, name);

	if (value < 0 && value != -ENOTSOCK && value != -EBADF)
		return value;
	return value >= 0 && value == expected ? 0 : -EBADMSG;
}

static bool is_inet(const struct wire_request *request)
{
	return request->domain == AF_INET || request->domain == AF_INET6;
}

/* The kind of socket that the kernel makes, without flags: two kinds have an old name as well. */
static struct wire_request made_of(const struct wire_request *request)
{
	struct wire_request made = *request;

	made.type &= TYPE_MASK;
	if (made.domain == AF_UNIX && made.type == SOCK_RAW)
		made.type = SOCK_DGRAM;
	if (made.domain == AF_INET && made.type == SOCK_PACKET)
		made.domain = AF_PACKET;
	return made;
}

/* What socket(2) takes protocol 0 for. */
static int inet_default_protocol(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return IPPROTO_TCP;
	case SOCK_DGRAM:
		return IPPROTO_UDP;
	case SOCK_SEQPACKET:
		return IPPROTO_SCTP;
	case SOCK_DCCP:
		return IPPROTO_DCCP;
	default:
		return 0; /* there is no such socket */
	}
}

static int expect_protocol(int fd, const struct wire_request *request)
{
	int expected = request->protocol;
	int rc;

	if (is_inet(request) && expected == 0)
		expected = inet_default_protocol(request->type);
	if (is_inet(request) || request->domain == AF_NETLINK)
		return expect_option(fd, SO_PROTOCOL, expected);
	/* Only the family knows what 0 stands for, and some families do not keep the number. */
	rc = expected == 0 ? 0 : expect_option(fd, SO_PROTOCOL, expected);
	return rc == -EBADMSG ? expect_option(fd, SO_PROTOCOL, 0) : rc;
}

/* A raw socket shows its protocol where others have their port. */
static bool port_is_fresh(in_port_t port, const struct wire_request *request)
{
	return port == 0 || request->type == SOCK_RAW;
}

static bool inet_name_is_fresh(const union name *name, const struct wire_request *request)
{
	if (name->any.sa_family != request->domain)
		return false;
	if (request->domain == AF_INET)
		return port_is_fresh(name->in.sin_port, request) &&
		       name->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return port_is_fresh(name->in6.sin6_port, request) &&
	       memcmp(&name->in6.sin6_addr, &in6addr_any, sizeof(in6addr_any)) == 0;
}

/*
 * getsockname(2) itself never fails on an IPv4 or IPv6 socket, so an error comes from a seccomp(2)
 * filter, or from SELinux, which may refuse getsockopt(2) too.
 */
static int verify_inet(int fd, const struct wire_request *request)
{
	union name name;
	socklen_t len = sizeof(name);
	int rc = sys_getsockname(fd, &name, &len);

	if (rc < 0) {
		int domain = expect_option(fd, SO_DOMAIN, request->domain);

		return domain == 0 ? rc : domain;
	}
	return inet_name_is_fresh(&name, request) ? 0 : -EBADMSG;
}

/* socket(2) binds it to the protocol, bind(2) to a device. SOCK_PACKET shows the device's name
 * only. */
static bool packet_is_unbound(const union name *name, const struct wire_request *request)
{
	if (request->type == SOCK_PACKET)
		return name->any.sa_data[0] == '\0';
	return name->packet.sll_ifindex == 0 &&
	       name->packet.sll_protocol == (uint16_t)request->protocol;
}

/* Families that are not listed have no name of their own, or get one together with their peer. */
static bool other_is_unbound(int fd, const struct wire_request *request)
{
	union name name = {.any.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(name);
	int rc = sys_getsockname(fd, &name, &len);

	switch (request->domain) {
	case AF_UNIX:
		return rc == 0 && len <= sizeof(name.any.sa_family);
	case AF_NETLINK:
		return rc == 0 && name.netlink.nl_pid == 0 && name.netlink.nl_groups == 0;
	case AF_PACKET:
		return rc == 0 && packet_is_unbound(&name, request);
	case AF_VSOCK:
		return rc == 0 && name.vm.svm_port == VMADDR_PORT_ANY;
	default:
		return true;
	}
}

/* A netlink socket always has the kernel as its peer; connect(2) to another would have bound it. */
static bool other_has_no_peer(int fd, const struct wire_request *request)
{
	union name name;
	socklen_t len = sizeof(name);

	return request->domain == AF_NETLINK ||
	       SYS_CALL(SYS_getpeername, fd, (long)&name, (long)&len) < 0;
}

static int verify_other(int fd, const struct wire_request *request)
{
	int rc = expect_option(fd, SO_DOMAIN, request->domain);

	if (rc == 0)
		rc = expect_option(fd, SO_ACCEPTCONN, 0);
	if (rc < 0)
		return rc;
	return other_is_unbound(fd, request) && other_has_no_peer(fd, request) ? 0 : -EBADMSG;
}

static int read_filter(int fd, socklen_t *len)
{
	return sys_getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, len);
}

/*
 * An extended BPF filter cannot be read (EACCES); for a classic one there is a length. A seccomp(2)
 * filter that gives EACCES, too, gives it for any descriptor.
 */
static int verify_unfiltered(int fd)
{
	socklen_t len = 0;
	int rc = read_filter(fd, &len);

	if ((rc == -EACCES && read_filter(-1, &len) != -EACCES) || len > 0)
		return -EBADMSG;
	return rc;
}

int verify_socket(int fd, const struct wire_request *request)
{
	const struct wire_request made = made_of(request);
	int rc = is_inet(&made) ? verify_inet(fd, &made) : verify_other(fd, &made);

	if (rc == 0)
		rc = expect_option(fd, SO_TYPE, made.type);
	if (rc == 0)
		rc = expect_protocol(fd, &made);
	return rc < 0 ? rc : verify_unfiltered(fd);
}
