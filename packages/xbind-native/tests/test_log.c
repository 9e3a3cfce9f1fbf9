/* SPDX-License-Identifier: MIT */
/* test_log.c - what the library writes to stderr when loaded, and about each bind */
#include "support/child.h"
#include "support/forbid.h"
#include "support/logged.h"
#include "support/watched.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/un.h>

#define LOG_FD           77
#define NOBODYS_ADDRESS  0xc0000201 /* 192.0.2.1 */
#define LOCAL_PORT_RANGE 51         /* IP_LOCAL_PORT_RANGE, since Linux 6.3 */

static void case_binds(void)
{
	int tcp = pair_socket(SOCK_STREAM), udp = pair_socket(SOCK_DGRAM);
	int other = pair_socket(SOCK_STREAM);
	int local = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct epoll_event event = {.events = EPOLLIN};
	const struct ip_mreqn sender = {.imr_address.s_addr = htonl(NOBODYS_ADDRESS),
	                                .imr_ifindex = 1};

	CHECK_EQ(tcp, 3);
	/* a registration, a copy or an option that is carried over is not logged */
	CHECK_EQ(setsockopt(udp, IPPROTO_IP, IP_MULTICAST_IF, &sender, sizeof(sender)), 0);
	CHECK_EQ(epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, tcp, &event), 0);
	CHECK(dup(tcp) > tcp);
	CHECK_EQ(pair_bind(tcp, 3000), 0);
	errno = 77;
	CHECK_EQ(pair_bind(udp, 3001), 0);
	CHECK_EQ(errno, 77);
	CHECK_FAILS(pair_bind(other, 3000), EADDRINUSE);
	CHECK_EQ(pair_bind(other, 4000), 0);
	CHECK_EQ(pair_bind(tcp, 3000), -1);
	CHECK_EQ(bind(local, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	CHECK_EQ(pair_bind(99, 3000), -1);
	CHECK_EQ(pair_bind(99, 3053), -1);
}

static void test_binds(void)
{
	static const char *const lines[] = {
	    LOGGED_MOVED,
	    "bind of descriptor 4 to udp port 3001: moved, port 3001 of the namespace behind ",
	    "bind of descriptor 5 to tcp port 3000: failed: bind: EADDRINUSE (error 98); control "
	    "socket ",
	    "bind of descriptor 5 to port 4000: left alone: the port is not listed",
	    "bind of descriptor 3 to port 3000: left alone: already bound or connected",
	    "bind of descriptor 6: left alone: no IPv4 or IPv6 address",
	    "bind of descriptor 99 to port 3000: left alone: not a TCP or UDP socket of the "
	    "address's family",
	    "bind of descriptor 99 to port 3053: left alone: not a TCP or UDP socket of the "
	    "address's family",
	    NULL};

	setenv("XBIND", "3000 3001 udp/3053", 1);
	setenv("XBIND_LOG", "77", 1);
	logged_check("binds", LOG_FD, lines);
	setenv("XBIND_LOG", "1", 1);
	logged_check("binds", STDERR_FILENO, lines);
	unsetenv("XBIND_LOG");
	logged_check("binds", STDERR_FILENO, lines + COUNT(lines) - 1);
}

static void case_published(void)
{
	int tcp = pair_socket(SOCK_STREAM), udp = pair_socket(SOCK_DGRAM);

	CHECK(pair_binds_there(tcp, 3000));
	CHECK_EQ(pair_port(tcp), pair_preloaded() ? 3080 : 3000);
	CHECK_EQ(pair_bind(udp, 3000), 0);
}

#define CANNOT_READ(word)                                                                          \
	"XBIND: cannot read \"" word "\": a word is a port (3000), a range (8000-8100), tcp/53, "  \
	"udp/53, 8080:3000 or *; the other words still work"

static void test_published(void)
{
	LOGGED_CHECK(
	    "published", "nonsense tcp/3080:3000,70000", CANNOT_READ("nonsense"),
	    CANNOT_READ("70000"),
	    "bind of descriptor 3 to tcp port 3000: moved, port 3080 of the namespace behind ",
	    "bind of descriptor 4 to port 3000: left alone: the port is listed for the other "
	    "protocol");
}

static void renumber_watched(void)
{
	CHECK(dup(watched.fd) > watched.fd);
	CHECK_EQ(close(watched.fd), 0);
}

/* The kernel has one port to choose from, and another thread moves the socket to a new number. */
static void case_renumbered(void)
{
	const uint32_t range = 40007U << 16 | 40007;

	watched.port = 0;
	watched.fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(setsockopt(watched.fd, IPPROTO_IP, LOCAL_PORT_RANGE, &range, sizeof(range)), 0);
	run_watched_move(bind_watched, SHUT_RD, renumber_watched);
}

static bool knows_ranges(void)
{
	int fd = pair_socket(SOCK_STREAM), range;
	int rc = getsockopt(fd, IPPROTO_IP, LOCAL_PORT_RANGE, &range, &(socklen_t){sizeof(range)});

	close(fd);
	return rc == 0;
}

static void test_renumbered(void)
{
	if (forbid_works() && knows_ranges())
		LOGGED_CHECK("renumbered", "0",
		             "bind of descriptor 3 to tcp port 0: moved, port 40007 of the "
		             "namespace behind ");
}

static void case_one(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind_any(fd, AF_INET, 3000), 0);
	CHECK_EQ(listen(fd, 1), 0); /* not logged */
	CHECK_FAILS(listen(pair_socket(SOCK_DGRAM), 1), EOPNOTSUPP);
}

static void test_all_listed(void)
{
	LOGGED_CHECK("one", "*", LOGGED_MOVED);
}

static void test_nothing_listed(void)
{
	static const char line[] = "bind of descriptor 3: left alone: XBIND lists no port";

	LOGGED_CHECK("one", "", line);
	unsetenv("XBIND");
	logged_check("one", STDERR_FILENO, (const char *const[]){line, NULL});
}

/* The program has a file of its own under the log's number by now. */
static void case_replaced(void)
{
	int fd = pair_socket(SOCK_STREAM), file = memfd_create("file", 0);

	CHECK_EQ(dup2(file, LOG_FD), LOG_FD);
	CHECK_EQ(pair_bind(fd, 4000), 0);
	CHECK_EQ(lseek(file, 0, SEEK_END), 0);
}

static void test_replaced(void)
{
	setenv("XBIND_LOG", "77", 1);
	setenv("XBIND", "3000", 1);
	logged_check("replaced", LOG_FD, (const char *const[]){NULL});
}

/* A file at its size limit gets no line, and SIGXFSZ must not end the program. */
static void test_full(void)
{
	const struct rlimit limit = {10, 10};
	pid_t pid;

	setenv("XBIND_LOG", "77", 1);
	setenv("XBIND", "3000", 1);
	pid = child_start();
	if (pid == 0) {
		CHECK_EQ(dup2(memfd_create("log", 0), LOG_FD), LOG_FD);
		CHECK_EQ(lseek(LOG_FD, (off_t)limit.rlim_cur, SEEK_SET), limit.rlim_cur);
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		test_exec(logged_self, "one", "run");
	}
	child_await(pid);
}

/* Under a filter that kills the process at any call that xbind(7) does not list. */
static void case_filtered(void)
{
	const long calls[] = {SYS_bind,           SYS_getpid, SYS_statx,
	                      SYS_ppoll,          SYS_sendto, SYS_rt_sigaction,
	                      SYS_rt_sigprocmask, SYS_write,  SYS_exit_group};
	int fd = pair_socket(SOCK_STREAM);

	forbid_others(calls, COUNT(calls));
	CHECK_EQ(pair_bind(fd, 4000), 0);
}

static void test_filtered(void)
{
	static const char *const lines[] = {
	    "bind of descriptor 3 to port 4000: left alone: the port is not listed", NULL};

	if (!forbid_works())
		return;
	setenv("XBIND_LOG", "77", 1);
	setenv("XBIND", "3000", 1);
	logged_check("filtered", LOG_FD, lines);
}

static const struct logged_case cases[] = {
    {"binds", case_binds}, {"published", case_published}, {"renumbered", case_renumbered},
    {"one", case_one},     {"replaced", case_replaced},   {"filtered", case_filtered},
};

int main(int argc, char **argv)
{
	logged_main(argc, argv, cases, COUNT(cases));
	RUN(test_binds);
	RUN(test_published);
	RUN(test_renumbered);
	RUN(test_all_listed);
	RUN(test_nothing_listed);
	RUN(test_replaced);
	RUN(test_full);
	RUN(test_filtered);
	return 0;
}
