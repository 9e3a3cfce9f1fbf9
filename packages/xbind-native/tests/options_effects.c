/* SPDX-License-Identifier: MIT */
/*
 * options_effects.c - the effects on a bound socket of options that cannot be read back
 *
 * pair -c compares a run without the library with one with it.
 */
#include "support/outcome.h"

#include <linux/tcp.h>

#include <signal.h>
#include <sys/time.h>
#include <time.h>

#define LARGE 3000 /* bytes: more than the MTU that is set, less than the MTU of lo */

static int new_udp6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	return fd;
}

static void send6(const char *what, int fd, size_t len)
{
	struct sockaddr_in6 addr = pair_addr6(9);
	static char bytes[LARGE];

	show(what, (int)sendto(fd, bytes, len, 0, (struct sockaddr *)&addr, sizeof(addr)));
}

static void test_mtu(void)
{
	int fd = new_udp6();

	set_number("IPV6_MTU", fd, IPPROTO_IPV6, IPV6_MTU, 1280);
	set_number("IPV6_DONTFRAG", fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
	bind_any(fd, AF_INET6);
	send6("small", fd, 1000);
	send6("large", fd, LARGE);
	close(fd);
}

/* A source address and device for all packets. With an address that does not exist nothing can
 * be sent. */
static void test_packet_info(void)
{
	struct in6_pktinfo info = {.ipi6_ifindex = 1};
	int fd = new_udp6();

	info.ipi6_addr.s6_addr[15] = 1;
	SET("IPV6_PKTINFO", fd, IPPROTO_IPV6, IPV6_PKTINFO, info);
	bind_any(fd, AF_INET6);
	send6("from ::1", fd, 10);
	close(fd);
	fd = new_udp6();
	set_number("IPV6_FREEBIND", fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	info.ipi6_addr.s6_addr[0] = 0x20;
	SET("IPV6_PKTINFO", fd, IPPROTO_IPV6, IPV6_PKTINFO, info);
	bind_any(fd, AF_INET6);
	send6("from 2000::1", fd, 10);
	close(fd);
}

#ifdef TCP_AO_ADD_KEY /* headers since Linux 6.7 */
static struct tcp_ao_add ao_key(unsigned char number)
{
	struct tcp_ao_add key = {
	    .alg_name = "hmac(sha1)",
	    .prefix = 32,
	    .sndid = number,
	    .rcvid = number,
	    .keylen = 6,
	    .key = "secret",
	};
	struct sockaddr_in *peer = (struct sockaddr_in *)&key.addr;

	*peer = pair_addr(0);
	return key;
}

static void test_ao_keys(void)
{
	struct tcp_ao_add first = ao_key(1), second = ao_key(2);
	struct tcp_ao_del gone = {.prefix = 32, .sndid = 1, .rcvid = 1};
	struct tcp_ao_getsockopt found[4] = {{.nkeys = 4, .get_all = 1}};
	socklen_t len = sizeof(found[0]);
	int fd = pair_socket(SOCK_STREAM);

	memcpy(&gone.addr, &first.addr, sizeof(gone.addr));
	SET("key 1", fd, IPPROTO_TCP, TCP_AO_ADD_KEY, first);
	SET("key 2", fd, IPPROTO_TCP, TCP_AO_ADD_KEY, second);
	SET("no key 1", fd, IPPROTO_TCP, TCP_AO_DEL_KEY, gone);
	bind_any(fd, AF_INET);
	show("keys", getsockopt(fd, IPPROTO_TCP, TCP_AO_GET_KEYS, found, &len));
	printf("%u of them, the first is %u\n", found[0].nkeys, found[0].sndid);
	close(fd);
}
#endif

/* Once the socket has a device, a source address without an interface can no longer be set. */
static void test_packet_info_and_device(void)
{
	const struct in6_pktinfo info = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT};
	unsigned char options[256] = {0};
	socklen_t len = sizeof(options);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	SET("packet info", fd, IPPROTO_IPV6, IPV6_PKTINFO, info);
	set("device", fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
	set_number("tell", fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	bind_any(fd, AF_INET6);
	show("read", getsockopt(fd, IPPROTO_IPV6, 6 /* IPV6_2292PKTOPTIONS */, options, &len));
	for (socklen_t i = 0; i < len; i++)
		printf("%02x", options[i]);
	printf("\n");
	close(fd);
}

/* IP_TOS also sets the priority, which may then be set back, even by a call that the library
 * does not see. */
static void test_priority(void)
{
	int fd = pair_socket(SOCK_DGRAM), priority = 0;

	set_number("tos", fd, IPPROTO_IP, IP_TOS, 0x10);
	CHECK_EQ(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)),
	         0);
	bind_any(fd, AF_INET);
	show_number("priority", fd, SO_PRIORITY);
	close(fd);
}

/* TCP_REPAIR sets SO_REUSEADDR in the same way. */
static void test_repair(void)
{
	int fd = pair_socket(SOCK_STREAM);

	set_number("repair", fd, IPPROTO_TCP, TCP_REPAIR, 1);
	set_number("reuse", fd, SOL_SOCKET, SO_REUSEADDR, 1);
	bind_any(fd, AF_INET);
	show_number("reuse", fd, SO_REUSEADDR);
	close(fd);
}

/* A large low-water mark opens the receive window, which may be clamped afterwards. */
static void test_window(void)
{
	const int clamps[] = {30000, 0};

	for (size_t i = 0; i < COUNT(clamps); i++) {
		int fd = pair_socket(SOCK_STREAM);

		set_number("mark", fd, SOL_SOCKET, SO_RCVLOWAT, 1000000);
		SET("clamp", fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, clamps[i]);
		bind_any(fd, AF_INET);
		printf("clamp %d\n", pair_option(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP));
		show_number("mark", fd, SO_RCVLOWAT);
		show_number("buffer", fd, SO_RCVBUF);
		close(fd);
	}
}

/* The initial segment size reads the same whether or not it was set. */
static void test_small_segments(void)
{
	static const int sizes[][2] = {{0, 0}, {536, 536}, {536, 0}, {0, 536}};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		int fd = pair_socket(SOCK_STREAM), peer;

		for (int call = 0; call < 2; call++)
			set_number("segment", fd, IPPROTO_TCP, TCP_MAXSEG, sizes[i][call]);
		bind_any(fd, AF_INET);
		show("listen", listen(fd, 1));
		peer = new_peer(fd, SOCK_STREAM, 0);
		printf("segment %d\n", pair_option(peer, IPPROTO_TCP, TCP_MAXSEG));
		close(peer);
		close(fd);
	}
}

#define UDPLITE_SEND_CSCOV_ 10 /* no libc defines it */
#define UDPLITE_RECV_CSCOV_ 11

/* UDP-Lite: a socket that asks for full checksum coverage drops packets with less. One that has
 * not asked accepts them, though the option reads the same. */
static void test_coverage(void)
{
	char first = 0;

	for (int asks = 0; asks < 2; asks++) {
		int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), peer;

		if (fd < 0)
			return; /* no such protocol in this kernel */
		if (asks)
			set_number("whole", fd, IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV_, 0);
		bind_any(fd, AF_INET);
		peer = new_peer(fd, SOCK_DGRAM, IPPROTO_UDPLITE);
		set_number("header", peer, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV_, 8);
		show("send", (int)send(peer, "h", 1, 0));
		set_number("whole", peer, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV_, 0);
		show("send", (int)send(peer, "w", 1, 0)); /* always accepted */
		CHECK_EQ(recv(fd, &first, 1, 0), 1);
		printf("the first is %c\n", first);
		close(peer);
		close(fd);
	}
}

/* In repair mode a socket has sequence numbers, windows and a clock before it is bound. */
static void try_repaired(int chosen)
{
	struct tcp_repair_window window = {.snd_wnd = 1000, .max_window = 2000, .rcv_wnd = 3000};
	int fd = pair_socket(SOCK_STREAM), clock = 2000000000;
	socklen_t len = sizeof(window), clock_len = sizeof(clock), chosen_len = sizeof(chosen);

	set_number("repair", fd, IPPROTO_TCP, TCP_REPAIR, 1);
	for (int queue = TCP_RECV_QUEUE; queue <= TCP_SEND_QUEUE; queue++) {
		set_number("queue", fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
		set_number("number", fd, IPPROTO_TCP, TCP_QUEUE_SEQ, 123456 * queue);
	}
	SET("queue", fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, chosen);
	SET("window", fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, window);
	SET("clock", fd, IPPROTO_TCP, TCP_TIMESTAMP, clock);
	bind_any(fd, AF_INET);
	show("queue", getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &chosen, &chosen_len));
	printf("%d\n", chosen);
	for (int queue = TCP_RECV_QUEUE; queue <= TCP_SEND_QUEUE; queue++) {
		int number = -1;
		socklen_t number_len = sizeof(number);

		setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue));
		getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &number_len);
		printf("queue %d: %d\n", queue, number);
	}
	memset(&window, 0, sizeof(window));
	show("window", getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &len));
	printf("%u %u %u\n", window.snd_wnd, window.max_window, window.rcv_wnd);
	show("clock", getsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &clock, &clock_len));
	printf("%d\n", clock / 1000000); /* in thousands of seconds */
	close(fd);
}

static void test_repaired_state(void)
{
	try_repaired(TCP_NO_QUEUE);
	try_repaired(TCP_RECV_QUEUE);
}

/* SO_LINGER keeps its time when it is turned off. */
static void test_linger(void)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 7};
	socklen_t len = sizeof(linger);
	int fd = pair_socket(SOCK_STREAM);

	SET("linger", fd, SOL_SOCKET, SO_LINGER, linger);
	linger = (struct linger){0};
	SET("linger off", fd, SOL_SOCKET, SO_LINGER, linger);
	bind_any(fd, AF_INET);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
	printf("%d, %d s\n", linger.l_onoff, linger.l_linger);
	close(fd);
}

static void test_short_time(void)
{
	struct timeval time = {.tv_usec = 300000};
	socklen_t len = sizeof(time);
	int fd = pair_socket(SOCK_DGRAM);

	SET("short time", fd, SOL_SOCKET, SO_RCVTIMEO, time);
	time = (struct timeval){0};
	bind_any(fd, AF_INET);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &len), 0);
	printf("%ld s, %ld us\n", (long)time.tv_sec, (long)time.tv_usec);
	close(fd);
}

static void interrupt_wait(int signal)
{
	(void)signal;
}

#define SOON         100000 /* microseconds */
#define RCVTIMEO_OLD 20     /* SO_RCVTIMEO with two longs */
#define RCVTIMEO_NEW 66     /* with two 64-bit numbers */

/* A negative timeout means not to wait, and zero to wait for ever. Both read as zero. */
static void check_negative_time(int name, const void *negative, const void *none, socklen_t len)
{
	char byte;

	for (int last_is_none = 0; last_is_none < 2; last_is_none++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		set("SO_RCVTIMEO", fd, SOL_SOCKET, name, negative, len);
		if (last_is_none)
			set("SO_RCVTIMEO", fd, SOL_SOCKET, name, none, len);
		bind_any(fd, AF_INET);
		show("waits", (int)recv(fd, &byte, 1, 0));
		close(fd);
	}
}

/* Uses both names, whose layouts are the same where a long has 64 bits. */
static void test_negative_time(void)
{
	const struct itimerval soon = {.it_value.tv_usec = SOON, .it_interval.tv_usec = SOON};
	const struct sigaction act = {.sa_handler = interrupt_wait}; /* without SA_RESTART */
	const int64_t negative[2] = {-1, 0}, none[2] = {0, 0};
	const long old_negative[2] = {-1, 0}, old_none[2] = {0, 0};

	CHECK_EQ(sigaction(SIGALRM, &act, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	check_negative_time(RCVTIMEO_NEW, negative, none, sizeof(none));
	check_negative_time(RCVTIMEO_OLD, old_negative, old_none, sizeof(old_none));
	CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
}

/* Sets an option of the greatest length that the kernel takes. A header has its length in its
 * second byte. */
static void try_longest(int domain, int level, int name, const void *value, socklen_t len)
{
	unsigned char is[2048] = {0};
	socklen_t is_len = sizeof(is);
	unsigned sum = 0;
	int fd = socket(domain, SOCK_STREAM, 0);

	set("longest", fd, level, name, value, len);
	bind_any(fd, domain);
	show("read", getsockopt(fd, level, name, is, &is_len));
	for (socklen_t i = 0; i < is_len; i++)
		sum = sum * 31 + is[i];
	printf("%u bytes, sum %u\n", is_len, sum);
	close(fd);
}

static void test_longest(void)
{
	static const unsigned char keys[32] = {1, [31] = 2};
	static const unsigned char headers[2040] = {[1] = 254, [2039] = 3};
	unsigned char options[40];

	memset(options, 1, sizeof(options)); /* IPOPT_NOOP */
	try_longest(AF_INET, IPPROTO_IP, IP_OPTIONS, options, sizeof(options));
	try_longest(AF_INET, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, sizeof(keys));
	try_longest(AF_INET6, IPPROTO_IPV6, IPV6_HOPOPTS, headers, sizeof(headers));
	try_longest(AF_INET6, IPPROTO_IPV6, IPV6_RTHDRDSTOPTS, headers, sizeof(headers));
	try_longest(AF_INET6, IPPROTO_IPV6, IPV6_DSTOPTS, headers, sizeof(headers));
}

/* A size above net.core.rmem_max or wmem_max, which takes CAP_NET_ADMIN, and then one below it. */
static void test_forced_sizes(void)
{
	static const int names[][2] = {{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}};

	for (size_t i = 0; i < 2 * COUNT(names); i++) {
		const int *name = names[i / 2];
		int fd = pair_socket(SOCK_STREAM);

		set_number("force", fd, SOL_SOCKET, name[0], 500000000);
		if (i % 2)
			set_number("lower", fd, SOL_SOCKET, name[1], 5000);
		bind_any(fd, AF_INET);
		show_number("size", fd, name[1]);
		close(fd);
	}
}

/* The clock of SO_TXTIME reads as by default, but must be set before a message with a time is
 * accepted. */
static void test_time_to_send(void)
{
	static const struct {
		int clock;
		unsigned flags;
	} real = {CLOCK_REALTIME, 0};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(uint64_t))];
	} control = {.header = {CMSG_LEN(sizeof(uint64_t)), SOL_SOCKET, SO_TXTIME}};
	struct sockaddr_in to = pair_addr(9);
	struct iovec byte = {(char[]){0}, 1};
	struct msghdr message = {.msg_name = &to,
	                         .msg_namelen = sizeof(to),
	                         .msg_iov = &byte,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};

	for (int sets = 0; sets < 2; sets++) {
		int fd = pair_socket(SOCK_DGRAM);

		if (sets)
			SET("clock", fd, SOL_SOCKET, SO_TXTIME, real);
		bind_any(fd, AF_INET);
		show("send", (int)sendmsg(fd, &message, 0));
		close(fd);
	}
}

int main(void)
{
#ifdef TCP_AO_ADD_KEY
	RUN(test_ao_keys);
#endif
	RUN(test_priority);
	RUN(test_repair);
	RUN(test_window);
	RUN(test_small_segments);
	RUN(test_coverage);
	RUN(test_repaired_state);
	RUN(test_linger);
	RUN(test_short_time);
	RUN(test_negative_time);
	RUN(test_forced_sizes);
	RUN(test_time_to_send);
	test_needs_ipv6();
	RUN(test_mtu);
	RUN(test_packet_info);
	RUN(test_packet_info_and_device);
	RUN(test_longest);
	return 0;
}
