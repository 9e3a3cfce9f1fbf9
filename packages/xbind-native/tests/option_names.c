/* SPDX-License-Identifier: MIT */
/*
 * option_names.c - each option in the kernel's headers is in our table, or has a reason not to be
 *
 * option_names.sh makes option_names.h from the headers of this machine. So an option of a new
 * kernel fails this test until somebody has looked at it.
 */
#include "test.h"
#include "xbind/options.h"

#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <stdbool.h>

/* An option's name, or a prefix of several if it ends in an underscore. */
static const struct {
	const char *name, *reason;
} exceptions[] = {
    {"SO_ACCEPTCONN", "read only"},
    {"SO_BPF_EXTENSIONS", "read only"},
    {"SO_COOKIE", "read only"},
    {"SO_DOMAIN", "read only"},
    {"SO_ERROR", "read only"},
    {"SO_INCOMING_NAPI_ID", "read only"},
    {"SO_MEMINFO", "read only"},
    {"SO_NETNS_COOKIE", "read only"},
    {"SO_PEERCRED", "read only"},
    {"SO_PEERGROUPS", "read only"},
    {"SO_PEERNAME", "read only"},
    {"SO_PEERPIDFD", "read only"},
    {"SO_PEERSEC", "read only"},
    {"SO_PROTOCOL", "read only"},
    {"SO_TYPE", "read only"},
    {"SO_BSDCOMPAT", "without effect since Linux 2.2"},
    {"SO_SECURITY_", "were never implemented"},
    {"SO_SNDLOWAT", "cannot be set"},
    {"SO_CNX_ADVICE", "asks for something, and leaves nothing behind"},
    {"SO_DETACH_BPF", "the filter itself is looked at"},
    {"SO_DETACH_FILTER", "the filter itself is looked at"},
    {"SO_DEVMEM_", "of a connection"},
    {"SO_PASSRIGHTS", "of UNIX sockets"},
    {"SO_INQ", "of UNIX sockets"},
    {"SO_RIGHTS_NOTRUNC", "of UNIX sockets"},
    {"SO_RCVBUFFORCE", "the row of SO_RCVBUF has it"},
    {"SO_SNDBUFFORCE", "the row of SO_SNDBUF has it"},
    {"SO_RCVTIMEO_", "another layout of SO_RCVTIMEO"},
    {"SO_SNDTIMEO_", "another layout of SO_SNDTIMEO"},
    {"IP_HDRINCL", "of raw sockets"},
    {"IP_NODEFRAG", "of raw sockets"},
    {"IP_ROUTER_ALERT", "of raw sockets"},
    {"IP_MTU", "read only"},
    {"IP_PKTOPTIONS", "read only"},
    {"IP_PROTOCOL", "read only"},
    {"IP_PMTUDISC_", "values"},
    {"MCAST_EXCLUDE", "a value"},
    {"MCAST_INCLUDE", "a value"},
    {"IPV6_2292PKTOPTIONS", "sets extension headers, which have rows"},
    {"IPV6_ADDRFORM", "of a connection"},
    {"IPV6_AUTHHDR", "was never implemented"},
    {"IPV6_NEXTHOP", "was never implemented"},
    {"IPV6_CHECKSUM", "of raw sockets"},
    {"IPV6_HDRINCL", "of raw sockets"},
    {"IPV6_ROUTER_ALERT", "of raw sockets"},
    {"IPV6_HOPLIMIT", "of a packet"},
    {"IPV6_PATHMTU", "read only"},
    {"IPV6_FL_", "values"},
    {"IPV6_FLOWINFO_", "values"},
    {"IPV6_PMTUDISC_", "values"},
    {"IPV6_PREFER_SRC_", "values"},
    {"IPV6_PRIORITY_", "values"},
    {"IPV6_TLV_", "values"},
    {"TCP_INFO", "read only"},
    {"TCP_CC_INFO", "read only"},
    {"TCP_IS_MPTCP", "read only"},
    {"TCP_AO_GET_KEYS", "read only"},
    {"TCP_SAVED_SYN", "read only"},
    {"TCP_ZEROCOPY_RECEIVE", "read only"},
    {"TCP_REPAIR_OPTIONS", "of a connection"},
    {"TCP_REPAIR_OFF", "a value"},
    {"TCP_REPAIR_OFF_NO_WP", "a value"},
    {"TCP_AO_REPAIR", "for TCP_REPAIR, of a connection"},
    {"TCP_ACCECN_", "values"},
    {"TCP_AO_MAXKEYLEN", "a value"},
    {"TCP_MD5SIG_MAXKEYLEN", "a value"},
    {"TCP_MSS_", "values"},
    {"UDP_ENCAP_", "values"},
};

static bool is_exception(const char *name)
{
	for (size_t i = 0; i < COUNT(exceptions); i++) {
		size_t len = strlen(exceptions[i].name);
		bool beginning = exceptions[i].name[len - 1] == '_';

		if (beginning ? strncmp(name, exceptions[i].name, len) == 0
		              : strcmp(name, exceptions[i].name) == 0)
			return true;
	}
	return false;
}

static int looked_at, missing;

static void look(int level, long number, const char *name)
{
	looked_at++;
	if (option_find(level, (int)number) >= 0 || is_exception(name))
		return;
	fprintf(stderr, "%s, option %ld of level %d, is neither in the table nor an exception\n",
	        name, number, level);
	missing++;
}

#define NAME(level, name) look(level, (long)(name), #name);

static void test_names(void)
{
#include "option_names.h"
	CHECK(looked_at > 200);
	CHECK_EQ(missing, 0);
}

/* SOF_TIMESTAMPING_BIND_PHC looks for the clock of the socket's device, so the device must be
 * set first. */
static void test_device_before_clock(void)
{
	const int device = option_find(SOL_SOCKET, SO_BINDTOIFINDEX);

	CHECK(option_find(SOL_SOCKET, SO_BINDTODEVICE) < device);
	CHECK(device < option_find(SOL_SOCKET, SO_TIMESTAMPING_OLD));
	CHECK(device < option_find(SOL_SOCKET, SO_TIMESTAMPING_NEW));
}

int main(void)
{
	RUN(test_names);
	RUN(test_device_before_clock);
	return 0;
}
