/* SPDX-License-Identifier: MIT */
/*
 * test_privilege.c - programs with fewer privileges than usual, and a set-user-ID program
 *
 * LIBRARY is the library, for a program that is loaded without LD_PRELOAD. Ports 1 to 3999 are
 * listed.
 */
#include "support/child.h"
#include "support/pair.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/tcp.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LOW_PORT      80
#define NOBODY        65534
#define COPY_OF_BYTES 65536

#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#endif

static const char *self;

/* The caller of bind needs the privilege for a low port, also in the target namespace. */
static void test_low_port(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK(pair_binds_there(fd, LOW_PORT));
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	child_drop_capabilities();
	CHECK_FAILS(pair_bind(fd, LOW_PORT), EACCES);
	CHECK_EQ(pair_port(fd), 0);
	CHECK(pair_binds_there(fd, 3000));
}

/* Binds as a user who may not open the control socket. */
static void bind_as_nobody(void)
{
	int fd = pair_socket(SOCK_STREAM), reference = pair_socket(SOCK_STREAM);

	CHECK_EQ(setuid(NOBODY), 0);
	CHECK_EQ(error_of(pair_bind(fd, 3007)), pair_preloaded() ? EACCES : 0);
	CHECK(pair_is_beside(fd, reference));
	CHECK_EQ(pair_bind(fd, NOT_LISTED), pair_preloaded() ? 0 : -1);
}

static void test_other_user(void)
{
	const char *control = getenv("XSOCKET");

	if (seteuid(NOBODY) < 0) /* fails in a user namespace with one user */
		return;
	CHECK_EQ(seteuid(0), 0);
	if (control)
		CHECK_EQ(chmod(control, 0600), 0);
	child_run(bind_as_nobody);
	if (control)
		CHECK_EQ(chmod(control, 0666), 0);
}

/* Landlock restricts the caller of bind, too. */
static void test_landlock(void)
{
	struct {
		uint64_t files, ports;
	} rules = {.ports = LANDLOCK_ACCESS_NET_BIND_TCP};
	int fd = pair_socket(SOCK_STREAM), datagram = pair_socket(SOCK_DGRAM);
	int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	if (set < 0)
		return; /* no Landlock, or an old one */
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_landlock_restrict_self, set, 0), 0);
	CHECK_FAILS(pair_bind(fd, 3002), EACCES);
	CHECK_EQ(pair_port(fd), 0);
	CHECK(pair_binds_there(datagram, 3003));
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[COPY_OF_BYTES];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t len;

	CHECK(in >= 0 && out >= 0);
	while ((len = read(in, bytes, sizeof(bytes))) > 0)
		CHECK_EQ(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
}

/* The part after exec: the library is not preloaded, but its bind is called. */
static void bind_loaded(bool secure)
{
	void *handle = dlopen(getenv("LIBRARY"), RTLD_NOW | RTLD_LOCAL);
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(getauxval(AT_SECURE) != 0, secure);
	CHECK(handle != NULL);
	CHECK_EQ(pair_bind_by(dlsym(handle, "bind"), fd, 3005), 0);
	CHECK_EQ(pair_is_there(fd), !secure);
	_exit(0); /* LeakSanitizer cannot inspect a set-user-ID program */
}

static void exec_copy(const char *copy, const char *copied, const char *what)
{
	const pid_t child = child_start();

	if (child == 0) {
		unsetenv("LD_PRELOAD");
		setenv("LIBRARY", copied, 1);
		execl(copy, copy, what, (char *)NULL);
		_exit(127);
	}
	child_await(child);
}

/* A set-user-ID program ignores its caller's environment. */
static void test_set_user_id(void)
{
	char dir[] = "/tmp/xsocket-setuid-XXXXXX", copy[sizeof(dir) + 8], copied[sizeof(dir) + 8];

	if (!pair_preloaded() || getenv("TEST_EMULATOR"))
		return;
#ifndef __GLIBC__ /* musl finds no libc function behind a library that dlopen(3) loaded */
	return;
#endif
	CHECK(mkdtemp(dir));
	CHECK_EQ(chmod(dir, 0755), 0);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	copy_file(self, copy);
	/* a copy that the other user may read: root's own directories may be closed to others */
	snprintf(copied, sizeof(copied), "%s/library", dir);
	copy_file(getenv("LIBRARY"), copied);
	exec_copy(copy, copied, "plain");
	/* fails in a user namespace with one user */
	if (chown(copy, NOBODY, NOBODY) == 0) {
		CHECK_EQ(chmod(copy, 04755), 0);
		exec_copy(copy, copied, "secure");
	}
	CHECK_EQ(unlink(copy), 0);
	CHECK_EQ(unlink(copied), 0);
	CHECK_EQ(rmdir(dir), 0);
}

/* Options that the program before exec has set. */
static const struct {
	int level, name, value;
} inherited[] = {
    {IPPROTO_IP, IP_TOS, 0x10}, /* sets the priority, too */
    {SOL_SOCKET, SO_PRIORITY, 3},       {SOL_SOCKET, SO_REUSEPORT, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},      {SOL_SOCKET, SO_RCVLOWAT, 9},
    {IPPROTO_IP, IP_TTL, 44},           {IPPROTO_IP, IP_FREEBIND, 1},
    {IPPROTO_TCP, TCP_NODELAY, 1},      {IPPROTO_TCP, TCP_KEEPIDLE, 99},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 3}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
};

static void bind_inherited(int fd)
{
	CHECK(pair_binds_there(fd, 3006));
	for (size_t i = 0; i < COUNT(inherited); i++)
		CHECK_EQ(pair_option(fd, inherited[i].level, inherited[i].name),
		         inherited[i].value);
	exit(0);
}

static void test_exec_with_options(void)
{
	int fd = pair_socket(SOCK_STREAM);
	char number[16];
	pid_t child;

	for (size_t i = 0; i < COUNT(inherited); i++)
		CHECK_EQ(pair_set(fd, inherited[i].level, inherited[i].name, inherited[i].value),
		         0);
	snprintf(number, sizeof(number), "%d", fd);
	child = child_start();
	if (child == 0)
		test_exec(self, "inherited", number);
	child_await(child);
	close(fd);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 2)
		bind_loaded(strcmp(argv[1], "secure") == 0);
	if (argc == 3)
		bind_inherited(atoi(argv[2]));
	RUN_BY(child_run, test_low_port);
	RUN(test_other_user);
	RUN_BY(child_run, test_landlock);
	RUN(test_set_user_id);
	RUN(test_exec_with_options);
	return 0;
}
