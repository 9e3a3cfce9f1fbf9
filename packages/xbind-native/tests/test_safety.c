/* SPDX-License-Identifier: MIT */
/*
 * test_safety.c - options without which the socket would be more open than the program asked for
 *
 * If one cannot be carried over, bind fails with the library and the program keeps its own socket;
 * without the library all succeeds. Port 3000 and those after it are listed.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"
#include "support/thread.h"
#include "support/watched.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define NOBODYS_ADDRESS 0xc0000201 /* 192.0.2.1; of IPv6, 2001:db8:: */

static void set_up(const char *name, short flags)
{
	struct ifreq request = {.ifr_flags = flags};
	int fd = pair_socket(SOCK_DGRAM);

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	CHECK_EQ(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static void rename_device(const char *from, const char *to)
{
	struct ifreq request = {0};
	int fd = pair_socket(SOCK_DGRAM);

	set_up(from, 0);
	strncpy(request.ifr_name, from, sizeof(request.ifr_name) - 1);
	strncpy(request.ifr_newname, to, sizeof(request.ifr_newname) - 1);
	CHECK_EQ(ioctl(fd, SIOCSIFNAME, &request), 0);
	set_up(to, IFF_UP | IFF_RUNNING);
	close(fd);
}

#define MARK 7

static void *bind_filtered(void *unused)
{
	int fd = pair_socket(SOCK_STREAM);

	forbid_option_by(ENOPROTOOPT, SOL_SOCKET, SO_MARK);
	CHECK(pair_binds_there(fd, 3013));
	close(fd);
	return unused;
}

/* To the thread that reads the defaults, a filter of its own says that there is no such option. */
static void test_filter_of_another_thread(void)
{
	int fd = pair_socket(SOCK_STREAM);

	thread_run(bind_filtered, NULL);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_MARK, MARK), 0);
	CHECK(pair_binds_there(fd, 3014));
	CHECK_EQ(pair_option(fd, SOL_SOCKET, SO_MARK), MARK);
}

/* The target namespace has no device of that name, but one of that index. */
static void test_device(void)
{
	int fd = pair_socket(SOCK_STREAM), by_index = pair_socket(SOCK_STREAM), index;

	rename_device("lo", "own0");
	index = (int)if_nametoindex("own0");
	CHECK_EQ(pair_set(by_index, SOL_SOCKET, SO_BINDTOIFINDEX, index), 0);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, index), 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "own0", 5), 0);
	pair_refused(fd, 3000, ENODEV);
	CHECK(pair_binds_there(by_index, 3004));
	close(fd);
	close(by_index);
	rename_device("own0", "lo");
}

static int limited; /* result of setsockopt: 0 or errno */

static void limit_watched(void)
{
	limited = setsockopt(watched.fd, SOL_SOCKET, SO_BINDTODEVICE, "own0", 5) < 0 ? errno : 0;
}

static bool is_limited(void)
{
	return pair_option(watched.fd, SOL_SOCKET, SO_BINDTOIFINDEX) != 0;
}

/* Another thread sets such a device when the new socket is bound already. */
static void test_device_meanwhile(void)
{
	rename_device("lo", "own0");
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_beside(bind_watched, CALL_FCNTL, F_GETFD, limit_watched, is_limited);
	CHECK_EQ(limited, pair_preloaded() ? ENODEV : 0);
	rename_device("own0", "lo");
}

static _Atomic bool is_freed;

/* First removes the socket's device by a call that the library does not see. */
static void limit_to_other(void)
{
	CHECK_EQ(syscall(SYS_setsockopt, watched.fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	is_freed = true;
	rename_device("lo", "l");
	limited = setsockopt(watched.fd, SOL_SOCKET, SO_BINDTODEVICE, "l", 1) < 0 ? errno : 0;
}

static bool is_limited_to_other(void)
{
	return is_freed && is_limited();
}

/* The new socket has a device whose name begins the same, which must not count as this one. */
static void test_other_device_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(setsockopt(watched.fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
	run_watched_beside(bind_watched, CALL_FCNTL, F_GETFD, limit_to_other, is_limited_to_other);
	CHECK_EQ(limited, pair_preloaded() ? ENODEV : 0);
	rename_device("l", "lo");
}

static void test_lost_mark(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_MARK, 7), 0);
	child_drop_capabilities();
	pair_refused(fd, 3001, EPERM);
}

static void test_lost_transparency(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_TRANSPARENT, 1), 0);
	child_drop_capabilities();
	pair_refused(fd, 3002, EPERM);
}

/* A value that the new socket has anyway needs no privilege. */
static void test_no_mark(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_MARK, 0), 0);
	child_drop_capabilities();
	CHECK(pair_binds_there(fd, 3001));
}

static struct sock_filter take_all = {BPF_RET | BPF_K, 0, 0, 0xffff};

static const struct sock_fprog filter = {1, &take_all};

static const struct tcp_md5sig md5_key = {
    .tcpm_addr = {.ss_family = AF_INET}, .tcpm_keylen = 6, .tcpm_key = "secret"};

#define NO_SENDING(domain)                                                                         \
	{                                                                                          \
	    .sel.family = domain,                                                                  \
	    .lft = {XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF, 0, 0, 0, 0},                           \
	    .dir = XFRM_POLICY_OUT,                                                                \
	    .action = XFRM_POLICY_BLOCK,                                                           \
	}
static const struct xfrm_userpolicy_info no_sending = NO_SENDING(AF_INET),
                                         no_sending6 = NO_SENDING(AF_INET6);

/* Each option is set on a socket of its own, and setsockopt is then forbidden. */
static const struct option {
	int domain, level, name;
	const void *value;
	socklen_t len;
} options_of_safety[] = {
    {AF_INET, SOL_SOCKET, SO_DONTROUTE, &(const int){1}, sizeof(int)},
    {AF_INET, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2},
    {AF_INET, SOL_SOCKET, SO_BINDTOIFINDEX, &(const int){1}, sizeof(int)},
    {AF_INET, SOL_SOCKET, SO_MARK, &(const int){7}, sizeof(int)},
    {AF_INET, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)},
    {AF_INET, SOL_SOCKET, SO_LOCK_FILTER, &(const int){1}, sizeof(int)},
    {AF_INET, IPPROTO_IP, IP_FREEBIND, &(const int){1}, sizeof(int)},
    {AF_INET, IPPROTO_IP, IP_TRANSPARENT, &(const int){1}, sizeof(int)},
    {AF_INET, IPPROTO_IP, IP_MINTTL, &(const int){255}, sizeof(int)},
    {AF_INET, IPPROTO_IP, IP_XFRM_POLICY, &no_sending, sizeof(no_sending)},
    {AF_INET, IPPROTO_TCP, TCP_MD5SIG, &md5_key, sizeof(md5_key)},
    {AF_INET, IPPROTO_TCP, TCP_MD5SIG_EXT, &md5_key, sizeof(md5_key)},
    {AF_INET, IPPROTO_TCP, TCP_REPAIR, &(const int){1}, sizeof(int)},
    {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, &(const int){1}, sizeof(int)},
    {AF_INET6, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &(const int){255}, sizeof(int)},
    {AF_INET6, IPPROTO_IPV6, IPV6_XFRM_POLICY, &no_sending6, sizeof(no_sending6)},
    {AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND, &(const int){1}, sizeof(int)},
    {AF_INET6, IPPROTO_IPV6, IPV6_TRANSPARENT, &(const int){1}, sizeof(int)},
};

static const struct option option_of_speed = {AF_INET, IPPROTO_TCP, TCP_NODELAY, &(const int){1},
                                              sizeof(int)};

static const struct option *option;

static int bind_with(const struct option *with, uint16_t port)
{
	int fd = socket(with->domain, SOCK_STREAM, 0);

	if (setsockopt(fd, with->level, with->name, with->value, with->len) < 0) {
		/* this kernel lacks the option, or the module that reads policies */
		CHECK(errno == ENOPROTOOPT || errno == EOPNOTSUPP ||
		      (errno == EINVAL && with->len == sizeof(no_sending)));
		_exit(0);
	}
	forbid(SYS_setsockopt);
	if (pair_bind_any(fd, with->domain, port) < 0)
		return errno;
	CHECK(pair_is_there(fd));
	return 0;
}

static void bind_unsafe(void)
{
	CHECK_EQ(bind_with(option, 3009), pair_preloaded() ? FORBIDDEN : 0);
}

static void test_spread_forbidden(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof(filter)), 0);
	forbid(SYS_setsockopt);
	pair_refused(fd, 3009, FORBIDDEN);
}

/* An option that only costs speed is lost, and the socket moves. */
static void test_speed_forbidden(void)
{
	CHECK_EQ(bind_with(&option_of_speed, 3009), 0);
}

static void test_forbidden(void)
{
	close(socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM)); /* loads the kernel module */
	for (size_t i = 0; i < COUNT(options_of_safety); i++) {
		option = &options_of_safety[i];
		forbid_run(bind_unsafe);
	}
}

/* An option that may not be read must not count as one that was not set. */
static const struct option options_to_read[] = {
    {AF_INET, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2},
    {AF_INET, SOL_SOCKET, SO_MARK, &(const int){7}, sizeof(int)},
    {AF_INET, SOL_SOCKET, SO_LOCK_FILTER, &(const int){1}, sizeof(int)},
    {AF_INET, IPPROTO_IP, IP_FREEBIND, &(const int){1}, sizeof(int)},
    {AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, &(const int){1}, sizeof(int)},
    {AF_INET, SOL_SOCKET, SO_TYPE, NULL, 0},
    {AF_INET, SOL_SOCKET, SO_PROTOCOL, NULL, 0},
    {AF_INET, SOL_SOCKET, SO_GET_FILTER, NULL, 0},
};

static void bind_unreadable(void)
{
	int fd = socket(option->domain, SOCK_STREAM, 0);

	if (option->len > 0)
		CHECK_EQ(setsockopt(fd, option->level, option->name, option->value, option->len),
		         0);
	forbid_option(option->level, option->name);
	errno = 0;
	CHECK_EQ(pair_bind_any(fd, option->domain, 3010), pair_preloaded() ? -1 : 0);
	CHECK_EQ(errno, pair_preloaded() ? FORBIDDEN : 0);
	CHECK_EQ(pair_port(fd), pair_preloaded() ? 0 : 3010);
}

static int cookie_error;

static void bind_without_cookie(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5_key, sizeof(md5_key)), 0);
	forbid_option_by(cookie_error, SOL_SOCKET, SO_COOKIE);
	pair_refused(fd, 3010, cookie_error);
}

/* The record of an option is found by the socket's cookie; without it, bind fails, also with the
 * errors of kernels that have no cookies. */
static void test_without_cookie(void)
{
	const int errors[] = {FORBIDDEN, ENOPROTOOPT, EINVAL};

	for (size_t i = 0; i < COUNT(errors); i++) {
		cookie_error = errors[i];
		forbid_run(bind_without_cookie);
	}
}

/* Before Linux 5.1 the kernel tells a device by its name only; it is carried over all the same. */
static void test_device_by_name(void)
{
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
	forbid_option_by(ENOPROTOOPT, SOL_SOCKET, SO_BINDTOIFINDEX);
	CHECK(pair_binds_there(fd, 3010));
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	CHECK(strcmp(name, "lo") == 0);
}

static void test_unreadable(void)
{
	for (size_t i = 0; i < COUNT(options_to_read); i++) {
		option = &options_to_read[i];
		forbid_run(bind_unreadable);
	}
}

/* Before Linux 6.15 an MPTCP socket takes some options that it cannot read back. With IPV6_V6ONLY
 * there is room for an IPv4 listener on the same port. */
static void test_mptcp_for_ipv6_alone(void)
{
	const struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(3013)};
	int fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		return;
	forbid_option_by(EOPNOTSUPP, IPPROTO_IPV6, IPV6_V6ONLY);
	CHECK_EQ(pair_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	CHECK_EQ(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	CHECK(pair_is_there(fd));
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), 3013), 0);
}

/* An IPv6 socket has an option of each family for the same state. */
static const struct option mptcp_unreadable[] = {
    {AF_INET, IPPROTO_IP, IP_FREEBIND, NULL, 0},
    {AF_INET, IPPROTO_IP, IP_TRANSPARENT, NULL, 0},
    {AF_INET6, IPPROTO_IPV6, IPV6_FREEBIND, NULL, 0},
    {AF_INET6, IPPROTO_IPV6, IPV6_TRANSPARENT, NULL, 0},
};

static void bind_to_any_address(void)
{
	const struct sockaddr_in addr = {.sin_family = AF_INET,
	                                 .sin_port = htons(3013),
	                                 .sin_addr.s_addr = htonl(NOBODYS_ADDRESS)};
	const struct sockaddr_in6 addr6 = {.sin6_family = AF_INET6,
	                                   .sin6_port = htons(3013),
	                                   .sin6_addr = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8}}};
	const bool is_ipv6 = option->domain == AF_INET6;
	const void *to = is_ipv6 ? (const void *)&addr6 : &addr;
	const socklen_t len = is_ipv6 ? sizeof(addr6) : sizeof(addr);
	int fd = socket(option->domain, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		return;
	for (size_t i = 0; i < COUNT(mptcp_unreadable); i++)
		forbid_option_by(EOPNOTSUPP, mptcp_unreadable[i].level, mptcp_unreadable[i].name);
	CHECK_EQ(pair_set(fd, option->level, option->name, 1), 0);
	CHECK_EQ(pair_set(fd, option->level, option->name, 0), 0);
	CHECK(bind(fd, to, len) < 0 && errno == EADDRNOTAVAIL);
	CHECK_EQ(pair_set(fd, option->level, option->name, 1), 0);
	CHECK_EQ(bind(fd, to, len), 0);
	CHECK(pair_is_there(fd));
}

static void test_mptcp_for_any_address(void)
{
	for (size_t i = 0; i < COUNT(mptcp_unreadable); i++) {
		option = &mptcp_unreadable[i];
		forbid_run(bind_to_any_address);
	}
}

/* That an option cannot be read is remembered, so that no socket is made to read its default
 * again. */
static void test_set_without_sockets(void)
{
	int fd = pair_socket(SOCK_STREAM);

	forbid_option_by(EOPNOTSUPP, IPPROTO_IP, IP_FREEBIND);
	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
	forbid_by(SECCOMP_RET_KILL_PROCESS, SYS_socket);
	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_FREEBIND, 1), 0);
}

int main(void)
{
	RUN_BY(forbid_run, test_filter_of_another_thread); /* before any defaults are read */
	RUN(test_device);
	RUN_BY(forbid_run, test_device_meanwhile);
	RUN_BY(forbid_run, test_other_device_meanwhile);
	RUN_BY(child_run, test_lost_mark);
	RUN_BY(child_run, test_lost_transparency);
	RUN_BY(child_run, test_no_mark);
	RUN_BY(forbid_run, test_spread_forbidden);
	RUN_BY(forbid_run, test_speed_forbidden);
	RUN_BY(forbid_run, test_device_by_name);
	RUN(test_without_cookie);
	RUN_BY(forbid_run, test_set_without_sockets);
	test_needs_ipv6();
	RUN(test_forbidden);
	RUN(test_unreadable);
	RUN_BY(forbid_run, test_mptcp_for_ipv6_alone);
	RUN(test_mptcp_for_any_address);
	return 0;
}
