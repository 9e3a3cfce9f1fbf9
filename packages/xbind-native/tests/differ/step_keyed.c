/* SPDX-License-Identifier: MIT */
/* step_keyed.c - a socket of its own, with keys, sticky headers and upper-layer protocols */
#include "differ/differ.h"

#include <linux/net_tstamp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_KEYED 10 /* calls */

static int keyed; /* the socket */
static int domain, type;

static void set_keyed(int level, int name, const void *value, socklen_t len)
{
	say(" %d.%d len %d", level, name, (int)len);
	SAY_CALL(setsockopt(keyed, level, name, value, len));
}

static void set_peer(struct sockaddr_storage *peer)
{
	union address address = {.any.sa_family = (sa_family_t)(one_in(8) ? AF_INET : domain)};

	if (address.any.sa_family == AF_INET)
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + below(2));
	else if (one_in(2))
		address.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	else
		memcpy(address.in6.sin6_addr.s6_addr + 10, "\xff\xff\x7f\0\0\1", 6);
	*peer = address.storage;
}

/* A key for a network or a device; or none, which removes it. */
static void set_md5(void)
{
	struct tcp_md5sig key = {.tcpm_flags = (uint8_t)below(4),
	                         .tcpm_prefixlen = (uint8_t)(one_in(2) ? 32 : 8 * below(18)),
	                         .tcpm_keylen = (uint16_t)(one_in(3) ? 0 : 1 + below(81)),
	                         .tcpm_ifindex = (int)below(2),
	                         .tcpm_key = "secret"};

	set_peer((struct sockaddr_storage *)&key.tcpm_addr);
	set_keyed(IPPROTO_TCP, one_in(2) ? TCP_MD5SIG : TCP_MD5SIG_EXT, &key, sizeof(key));
}

#ifdef TCP_AO_ADD_KEY
static void set_ao(void)
{
	struct tcp_ao_add add = {.alg_name = "hmac(sha1)",
	                         .sndid = (uint8_t)below(2),
	                         .rcvid = (uint8_t)below(2),
	                         .maclen = 12,
	                         .keylen = 6,
	                         .key = "secret"};
	struct tcp_ao_del del = {.sndid = (uint8_t)below(2), .rcvid = (uint8_t)below(2)};
	struct tcp_ao_info_opt info = {
	    .set_current = one_in(2), .current_key = (uint8_t)below(2), .ao_required = one_in(2)};

	set_peer((struct sockaddr_storage *)&add.addr);
	set_peer((struct sockaddr_storage *)&del.addr);
	switch (below(4)) {
	case 0:
		set_keyed(IPPROTO_TCP, TCP_AO_DEL_KEY, &del, sizeof(del));
		break;
	case 1:
		set_keyed(IPPROTO_TCP, TCP_AO_INFO, &info, sizeof(info));
		break;
	default:
		set_keyed(IPPROTO_TCP, TCP_AO_ADD_KEY, &add, sizeof(add));
	}
}
#else
#define set_ao set_md5 /* headers before Linux 6.7 */
#endif

static void set_fastopen_key(void)
{
	uint8_t keys[33];

	for (size_t i = 0; i < sizeof(keys); i++)
		keys[i] = (uint8_t)random_next();
	set_keyed(IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 16 * below(3) + one_in(8));
}

static void set_upper(void)
{
	static const char *const names[] = {"tls", "smc", "espintcp", "mptcp", "nobody"};
	const char *name = ONE_OF(names);

	set_keyed(IPPROTO_TCP, TCP_ULP, name, (socklen_t)strlen(name));
}

/* A header with padding, or a route of one or two hops. */
static size_t fill_header(uint8_t *header, int name)
{
	const size_t len = 8 + 8 * below(3);

	memset(header, 0, 64);
	if (name == IPV6_RTHDR) {
		const uint8_t hops = (uint8_t)(1 + below(2));

		header[1] = (uint8_t)(2 * hops);
		header[2] = one_in(4) ? 2 : 4; /* mobile IPv6, or segment routing */
		header[3] = (uint8_t)(header[2] == 2 ? hops : hops - below(2));
		header[4] = header[2] == 4 ? hops - 1 : 0;
		for (int i = 0; i < hops; i++)
			header[8 + 16 * i + 15] = (uint8_t)(1 + below(3));
		return 8 + (size_t)16 * hops;
	}
	header[1] = (uint8_t)(len / 8 - 1);
	header[2] = 1;
	header[3] = (uint8_t)(len - 4);
	return len;
}

static const int sticky[] = {IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_RTHDR, IPV6_DSTOPTS};

static void set_sticky(void)
{
	uint8_t header[64];
	const int name = ONE_OF(sticky);
	const size_t len = one_in(4) ? 0 : fill_header(header, name);

	set_keyed(IPPROTO_IPV6, name, header, (socklen_t)len);
}

/* Sets several headers at once. */
static void set_sticky_together(void)
{
	static const int old[] = {3,          4,           5, IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS,
	                          IPV6_RTHDR, IPV6_DSTOPTS};
	uint8_t bytes[300] = {0}, header[64];
	struct msghdr message = {.msg_control = bytes, .msg_controllen = sizeof(bytes)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	size_t used = 0;

	for (uint32_t i = below(4); i > 0; i--) {
		const int name = ONE_OF(old);
		const size_t len = fill_header(header, name == 5 ? IPV6_RTHDR : name);

		head->cmsg_level = IPPROTO_IPV6;
		head->cmsg_type = name;
		head->cmsg_len = (socklen_t)CMSG_LEN(len);
		memcpy(CMSG_DATA(head), header, len);
		used += CMSG_SPACE(len);
		head = (void *)(bytes + used);
	}
	set_keyed(IPPROTO_IPV6, 6 /* 2292PKTOPTIONS */, bytes, (socklen_t)used);
}

static void set_route(void)
{
	/* No operation; a loose or strict source route through one host; record route;
	 * timestamps. */
	static const uint8_t routes[][12] = {{1, 1, 1, 1},
	                                     {131, 7, 4, 127, 0, 0, 1, 0},
	                                     {137, 7, 4, 127, 0, 0, 1, 0},
	                                     {7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	                                     {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	                                     {148, 4, 0, 0}};

	set_keyed(IPPROTO_IP, IP_OPTIONS, ONE_OF(routes), 4 * below(4));
}

static void set_stamping(void)
{
	static const uint32_t wanted[] = {SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE,
	                                  SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE,
	                                  SOF_TIMESTAMPING_OPT_ID,
	                                  SOF_TIMESTAMPING_OPT_ID | 1 << 16 /* OPT_ID_TCP */,
	                                  SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_TX_SCHED,
	                                  SOF_TIMESTAMPING_OPT_CMSG | SOF_TIMESTAMPING_OPT_PKTINFO,
	                                  1 << 15 /* BIND_PHC */};
	static const int names[] = {37, 65, SO_TIMESTAMP, SO_TIMESTAMPNS, 63, 64};
	struct {
		uint32_t flags, clock;
	} stamping = {ONE_OF(wanted) | ONE_OF(wanted), below(2)};

	set_keyed(SOL_SOCKET, ONE_OF(names), &stamping, one_in(2) ? 4 : 8);
}

static void set_waiting(void)
{
	static const int names[] = {46 /* BUSY_POLL */,
	                            69 /* PREFER_BUSY_POLL */,
	                            70 /* BUSY_POLL_BUDGET */,
	                            73 /* RESERVE_MEM */,
	                            74 /* TXREHASH */,
	                            75 /* RCVMARK */,
	                            76 /* PASSPIDFD */,
	                            82 /* RCVPRIORITY */,
	                            83 /* PASSRIGHTS */,
	                            71,
	                            72};
	const int value = one_in(4) ? random_int() : (int)below(3), name = ONE_OF(names);

	if (!is_bounded(SOL_SOCKET, name))
		set_keyed(SOL_SOCKET, name, &value, sizeof(value));
}

static void set_device(void)
{
	set_keyed(SOL_SOCKET, SO_BINDTODEVICE, "lo", 2 * below(2));
}

static void bind_keyed(void)
{
	union address address = {.any.sa_family = (sa_family_t)domain};

	address.in.sin_port = htons(a_port());
	if (one_in(2) && domain == AF_INET)
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (one_in(2) && domain == AF_INET6)
		address.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	say(" bind");
	SAY_CALL(bind(keyed, &address.any, sizeof(address.storage)));
}

static void send_keyed(void)
{
	union address address;
	socklen_t len;
	uint8_t bytes[600];
	char text[4];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr message = {.msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = bytes,
	                         .msg_controllen = sizeof(bytes)};

	if (port_of(keyed) == 0 || !address_of(keyed, &address, &len))
		return;
	say(" send");
	SAY_CALL(sendto(keyed, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, &address.any, len));
	for (int i = 0; i < 4; i++) {
		message.msg_controllen = sizeof(bytes);
		SAY_CALL(recvmsg(keyed, &message, MSG_DONTWAIT | (i < 2 ? MSG_ERRQUEUE : 0)));
		/* Whether a received packet has a timestamp depends on what others have asked
		 * for before. */
		if (i < 2)
			say(" %zu", (size_t)message.msg_controllen);
	}
}

void step_keyed(void)
{
	static void (*const streams[])(void) = {set_md5,      set_ao,     set_fastopen_key,
	                                        set_upper,    set_route,  set_sticky,
	                                        set_stamping, set_waiting};
	static void (*const datagrams[])(void) = {set_route,    set_sticky,  set_sticky_together,
	                                          set_stamping, set_waiting, set_device};
	static const int protocols[] = {0, 0, 0, IPPROTO_MPTCP, IPPROTO_UDPLITE};
	const int protocol = ONE_OF(protocols);

	if (sequence.jailed) /* a closed socket may still receive for a moment */
		return;
	domain = one_in(3) ? AF_INET : AF_INET6;
	type = protocol == IPPROTO_MPTCP || (protocol == 0 && one_in(2)) ? SOCK_STREAM : SOCK_DGRAM;
	keyed = socket(domain, type | SOCK_NONBLOCK, protocol);
	say("keyed %d %d %d", domain, type, protocol);
	for (int i = 0; i < LONGEST_KEYED && !one_in(10); i++) {
		if (type == SOCK_STREAM)
			ONE_OF(streams)();
		else
			ONE_OF(datagrams)();
	}
	bind_keyed();
	show_state(keyed);
	if (!has_other_defaults(keyed))
		show_options(keyed);
	send_keyed();
	for (int i = 0; i < 3; i++) {
		if (type == SOCK_STREAM)
			ONE_OF(streams)();
		else
			ONE_OF(datagrams)();
	}
	if (type == SOCK_STREAM && !sequence.partial) {
		say(" listen");
		SAY_CALL(listen(keyed, 1));
	}
	close(keyed);
}
