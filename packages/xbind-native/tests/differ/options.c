/* SPDX-License-Identifier: MIT */
/* options.c - the socket options, and which of them are left out of comparisons */
#include "differ/differ.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

const int levels[LEVELS] = {SOL_SOCKET,  IPPROTO_IP,  IPPROTO_IPV6,
                            IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};

int option_of(int fd, int level, int name, int otherwise)
{
	int value = otherwise;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? otherwise : value;
}

int protocol_of(int fd)
{
	return option_of(fd, SOL_SOCKET, SO_PROTOCOL, 0);
}

/* Options whose value depends on the moment or the socket, or changes at each boot of a
 * namespace. */
bool is_chance(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_PEERCRED || name == 28 /* PEERNAME, with a port */ ||
		       name == 57 /* COOKIE */ || name == 71 /* NETNS_COOKIE */ ||
		       name == 55 /* MEMINFO */ || name == 56 /* INCOMING_NAPI_ID */ ||
		       name == 49 /* INCOMING_CPU: of the last packet */;
	if (level == IPPROTO_IP)
		return name == 52 /* PROTOCOL: the port, which the kernel may have chosen */ ||
		       name == 14 /* MTU: of the route that was used last */;
	if (level == IPPROTO_IPV6)
		return name == 24 /* MTU */ || name == 61 /* PATHMTU */;
	if (level == IPPROTO_TCP)
		return name == 11 /* INFO */ || name == 21 /* QUEUE_SEQ */ || name == 22 ||
		       name == 24 /* TIMESTAMP */ || name == 26 /* CC_INFO */ ||
		       name == 28 /* SAVED_SYN */ || name == 29 /* REPAIR_WINDOW */ ||
		       name == 35 /* ZEROCOPY_RECEIVE */;
	return false;
}

/* Options that make a descriptor, load a module's program, make another kind of socket, or need
 * a table. */
bool is_apart(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == 20 || name == 21 || name == 66 || name == 67 /* times */ ||
		       name == 77 /* PEERPIDFD */ ||
		       name == SO_ATTACH_FILTER /* counts otherwise */;
	if (level == IPPROTO_TCP)
		return name == 31 /* ULP */ || name == 13 /* CONGESTION */;
	return (level == IPPROTO_IP || level == IPPROTO_IPV6) && name >= 64 && name < 66;
}

/* Options that cannot be read back, so that another program cannot know of them. */
bool is_unreadable(int level, int name)
{
	if (level == SOL_SOCKET)
		return name >= 50 && name <= 52 /* programs */;
	if (level == IPPROTO_IP)
		return name == IP_MULTICAST_IF || (name >= 35 && name <= 48) /* memberships */;
	if (level == IPPROTO_IPV6)
		return name == 20 || name == 21 || name == 24 /* MTU */ || name == 27 ||
		       name == 28 || name == 32 || (name >= 42 && name <= 50) /* and PKTINFO */;
	return level == IPPROTO_TCP && (name == TCP_MD5SIG || name == 32);
}

/* Options that a sysctl limits when they are set, which keep the limit of home, and a buffer
 * that was locked at its default size: xbind(7). */
bool is_bounded(int level, int name)
{
	if (!sequence.there)
		return false;
	return level == SOL_SOCKET ? name == 72 /* BUF_LOCK */
	                           : level == IPPROTO_TCP && name == 23 /* FASTOPEN */;
}

socklen_t a_length(void)
{
	static const socklen_t lengths[] = {0,  1,  2,  3,  5,   7,   8,
	                                    12, 16, 20, 64, 136, 264, (socklen_t)-1};

	return one_in(4) ? ONE_OF(lengths) : sizeof(int);
}
