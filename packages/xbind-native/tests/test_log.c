/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - what the library says, byte for byte: at load on stderr, and about each bind
 *
 * Both are decided when the library is loaded, so each case is this program run once more.
 */
#include "support/forbid.h"
#include "support/pair.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#define OUTPUT_BYTES 4096
#define LOG_FD       77

#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#endif

static const char *self;

/* Runs a case in a new process. Return: its pid; what it has written to fd is in output. */
static pid_t run_case(const char *name, int fd, char output[OUTPUT_BYTES])
{
	int pipe_fds[2], status;
	size_t len = 0;
	pid_t pid;

	CHECK_EQ(pipe(pipe_fds), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fds[1], fd);
		for (int other = 3; other < 100; other++) {
			if (other != fd)
				close(other); /* so that the numbers in the lines are known */
		}
		test_exec(self, name, "run");
	}
	close(pipe_fds[1]);
	for (ssize_t n; (n = read(pipe_fds[0], output + len, OUTPUT_BYTES - 1 - len)) > 0;)
		len += (size_t)n;
	output[len] = '\0';
	close(pipe_fds[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (status != 0)
		FAIL("case %s: status %d, wrote %s", name, status, output);
	return pid;
}

/* Behind what the emulator's own dynamic linker says of a library for another processor. */
static const char *of_library(const char *output)
{
	while (getenv("TEST_EMULATOR") && strncmp(output, "ERROR: ld.so:", 13) == 0)
		output = strchr(output, '\n') + 1;
	return output;
}

/* A line that ends with a space goes on with the control socket. Without the library there is none.
 */
static void check(const char *name, int fd, const char *const *lines)
{
	char output[OUTPUT_BYTES], expected[OUTPUT_BYTES] = "";
	pid_t pid = run_case(name, fd, output);
	size_t len = 0;

	for (; pair_preloaded() && *lines; lines++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len,
		                        "libxbind[%d]: %s%s\n", (int)pid, *lines,
		                        strchr(*lines, '\0')[-1] == ' ' ? getenv("XSOCKET") : "");
	if (strcmp(of_library(output), expected) != 0)
		FAIL("case %s wrote\n%sinstead of\n%s", name, output, expected);
}

static void case_binds(void)
{
	int tcp = pair_socket(SOCK_STREAM), udp = pair_socket(SOCK_DGRAM);
	int second = pair_socket(SOCK_STREAM);
	int local = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct epoll_event event = {.events = EPOLLIN};

	CHECK_EQ(tcp, 3);
	/* a registration that comes along is not worth a line */
	CHECK_EQ(epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, tcp, &event), 0);
	CHECK_EQ(pair_bind(tcp, 3000), 0);
	errno = 77;
	CHECK_EQ(pair_bind(udp, 3001), 0);
	CHECK_EQ(errno, 77);
	CHECK_EQ(pair_bind(second, 3000), -1);
	CHECK_EQ(errno, EADDRINUSE);
	CHECK_EQ(pair_bind(second, 4000), 0);
	CHECK_EQ(pair_bind(tcp, 3000), -1);
	CHECK_EQ(bind(local, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	CHECK_EQ(pair_bind(99, 3000), -1);
	CHECK_EQ(pair_bind(99, 3053), -1);
}

static void test_binds(void)
{
	static const char *const lines[] = {
	    "bind of descriptor 3 to tcp port 3000: moved, port 3000 of the namespace behind ",
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
	check("binds", LOG_FD, lines);
	setenv("XBIND_LOG", "1", 1);
	check("binds", STDERR_FILENO, lines);
	setenv("XBIND_LOG", "2", 1);
	check("binds", STDERR_FILENO, lines);
	setenv("XBIND_LOG", "0", 1);
	check("binds", STDERR_FILENO, lines + sizeof(lines) / sizeof(lines[0]) - 1);
	unsetenv("XBIND_LOG");
	check("binds", STDERR_FILENO, lines + sizeof(lines) / sizeof(lines[0]) - 1);
}

static void case_published(void)
{
	int tcp = pair_socket(SOCK_STREAM), udp = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_bind(tcp, 3000), 0);
	CHECK(pair_is_there(tcp));
	CHECK_EQ(pair_port(tcp), pair_preloaded() ? 3080 : 3000);
	CHECK_EQ(pair_bind(udp, 3000), 0);
}

static void test_published(void)
{
	static const char *const lines[] = {
	    "XBIND: cannot read \"nonsense\": a word is a port (3000), a range (8000-8100), "
	    "tcp/53, "
	    "udp/53, 8080:3000 or *; the other words still work",
	    "XBIND: cannot read \"70000\": a word is a port (3000), a range (8000-8100), tcp/53, "
	    "udp/53, 8080:3000 or *; the other words still work",
	    "bind of descriptor 3 to tcp port 3000: moved, port 3080 of the namespace behind ",
	    "bind of descriptor 4 to port 3000: left alone: the port is listed for the other "
	    "protocol",
	    NULL};

	setenv("XBIND", "nonsense tcp/3080:3000,70000", 1);
	setenv("XBIND_LOG", "1", 1);
	check("published", STDERR_FILENO, lines);
}

static void case_one(void)
{
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), 3000), 0);
}

static void test_nothing_listed(void)
{
	static const char *const lines[] = {"bind of descriptor 3: left alone: XBIND lists no port",
	                                    NULL};

	setenv("XBIND_LOG", "1", 1);
	setenv("XBIND", "", 1);
	check("one", STDERR_FILENO, lines);
	unsetenv("XBIND");
	check("one", STDERR_FILENO, lines);
}

static void case_unreachable(void)
{
	int fd = pair_socket(SOCK_STREAM);

	if (pair_preloaded())
		CHECK_EQ(pair_bind(fd, 3000), -1);
}

/* The same with another control socket, and port 3000 listed. */
static void check_behind(const char *socket_path, const char *name, const char *const *lines)
{
	char *control = pair_preloaded() ? strdup(getenv("XSOCKET")) : NULL;

	setenv("XBIND_LOG", "1", 1);
	setenv("XBIND", "3000", 1);
	setenv("XSOCKET", socket_path, 1);
	check(name, STDERR_FILENO, lines);
	if (control)
		setenv("XSOCKET", control, 1);
	free(control);
}

static void test_unreachable(void)
{
	static const char *const lines[] = {
	    "bind of descriptor 3 to tcp port 3000: failed: asking for a socket: ENOENT (error 2); "
	    "control socket ",
	    NULL};

	check_behind("/nowhere/at/all", "unreachable", lines);
}

/* A root that is not another one will do: what is kept for it is asked for first. */
static void case_jail(void)
{
	CHECK_EQ(chroot("/"), 0);
}

static void test_jail(void)
{
	static const char *const lines[] = {
	    "chroot: cannot keep a connection to /nowhere/at/all: ENOENT (error 2)", NULL};

	check_behind("/nowhere/at/all", "jail", lines);
}

/* Landlock may keep a program from abstract names that are made outside of its domain. */
static void case_scoped(void)
{
	struct {
		uint64_t files, ports, scoped;
	} rules = {.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET};
	int fd = pair_socket(SOCK_STREAM);
	int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_landlock_restrict_self, set, 0), 0);
	CHECK_EQ(pair_bind(fd, 3000), pair_preloaded() ? -1 : 0);
	if (pair_preloaded())
		CHECK_EQ(errno, EPERM);
	CHECK_EQ(pair_port(fd), pair_preloaded() ? 0 : 3000);
}

static bool landlock_knows_scopes(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 6;
}

static void test_scoped(void)
{
	static const char *const lines[] = {
	    "bind of descriptor 3 to tcp port 3000: failed: asking for a socket: EPERM (error 1); "
	    "control socket ",
	    NULL};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char text[sizeof(name.sun_path)];
	int listener, len;

	if (getenv("TEST_EMULATOR") || !landlock_knows_scopes())
		return;
	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	len = snprintf(name.sun_path, sizeof(name.sun_path), "@xsocket-scoped-%d", getpid());
	memcpy(text, name.sun_path, sizeof(text));
	name.sun_path[0] = '\0';
	len += (int)offsetof(struct sockaddr_un, sun_path);
	CHECK_EQ(bind(listener, (struct sockaddr *)&name, (socklen_t)len), 0);
	CHECK_EQ(listen(listener, 1), 0);
	check_behind(text, "scoped", lines);
	close(listener);
}

/* An option that cannot be carried over, and on which no safety hangs. */
static void case_lost(void)
{
	int fd = pair_socket(SOCK_STREAM), one = 1;

	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	forbid(SYS_setsockopt);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void test_lost(void)
{
	static const char *const lines[] = {
	    "bind of descriptor 3: not carried over: option 1 of level 6: error 18",
	    "bind of descriptor 3 to tcp port 3000: moved, port 3000 of the namespace behind ",
	    NULL};

	if (getenv("TEST_EMULATOR")) /* whose own calls would be filtered */
		return;
	setenv("XBIND_LOG", "1", 1);
	setenv("XBIND", "3000", 1);
	check("lost", STDERR_FILENO, lines);
}

/* A file that may not grow any more gets no line, and nobody is ended by a signal for it. */
static void test_full(void)
{
	const struct rlimit limit = {10, 10};
	int status;
	pid_t pid;

	setenv("XBIND_LOG", "77", 1);
	setenv("XBIND", "3000", 1);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(dup2(memfd_create("log", 0), LOG_FD), LOG_FD);
		CHECK_EQ(lseek(LOG_FD, (off_t)limit.rlim_cur, SEEK_SET), limit.rlim_cur);
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		test_exec(self, "one", "run");
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
    {"binds", case_binds}, {"published", case_published},
    {"one", case_one},     {"unreachable", case_unreachable},
    {"jail", case_jail},   {"scoped", case_scoped},
    {"lost", case_lost},
};

int main(int argc, char **argv)
{
	self = argv[0];
	for (size_t i = 0; argc == 3 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	RUN(test_binds);
	RUN(test_published);
	RUN(test_nothing_listed);
	RUN(test_unreachable);
	RUN(test_jail);
	RUN(test_scoped);
	RUN(test_lost);
	RUN(test_full);
	return 0;
}
