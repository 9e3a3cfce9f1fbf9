/* SPDX-License-Identifier: MIT */
/*
 * test_config_log.c - XBIND_LOG, byte for byte
 *
 * Each case is a process, since the environment is read once.
 */
#include "support/capture.h"

#include "core/sys.h"
#include "xbind/config.h"
#include "xbind/log.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * The read end of a pipe, which is closed once poll(2) has been asked about the pipe; -1 for none.
 */
static int reader = -1;

long sys_call(long number, const long args[6])
{
	const int saved = errno;
	long rc = test_enter(number, args);

	if (number == SYS_sendto && reader >= 0) {
		close(reader);
		reader = -1;
	}
	errno = saved;
	return rc;
}

static void load(void)
{
	config_load();
	log_load();
}

/* Calls each function of log.h. */
static void body_log(void)
{
	load();
	errno = 77;
	log_moved(3, 3, CONFIG_TCP, 3000, 8080);
	log_moved(4, 4, CONFIG_UDP, 0, 0);
	log_left(5, 53, "the port is not listed");
	log_left(6, -1, "not an IPv4 or IPv6 socket");
	log_failed(7, CONFIG_TCP, 80, 80, "connect", -ECONNREFUSED);
	log_failed(7, CONFIG_UDP, 80, 80, "connect", -4000);
	log_failed(7, CONFIG_TCP, 8080, 80, "bind", -EACCES);
	log_lost(8, "epoll", -ENOSYS);
	log_option_lost(8, 6, 13, -EPERM);
	CHECK_EQ(errno, 77);
}

#define LOGGED                                                                                     \
	"bind of descriptor 3 to tcp port 3000: moved, port 8080 of the namespace behind "         \
	"/run/xsocket/default\n"                                                                   \
	"bind of descriptor 4 to udp port 0: moved, port 0 of the namespace behind "               \
	"/run/xsocket/default\n"                                                                   \
	"bind of descriptor 5 to port 53: left alone: the port is not listed\n"                    \
	"bind of descriptor 6: left alone: not an IPv4 or IPv6 socket\n"                           \
	"bind of descriptor 7 to tcp port 80: failed: connect: ECONNREFUSED (error 111); control " \
	"socket /run/xsocket/default\n"                                                            \
	"bind of descriptor 7 to udp port 80: failed: connect: error 4000; control socket "        \
	"/run/xsocket/default\n"                                                                   \
	"bind of descriptor 7 to tcp port 8080: published as 80: failed: bind: EACCES (error "     \
	"13); "                                                                                    \
	"control socket /run/xsocket/default\n"                                                    \
	"bind of descriptor 8: not carried over: epoll: ENOSYS (error 38)\n"                       \
	"bind of descriptor 8: not carried over: option 13 of level 6: EPERM (error 1)\n"

#define BAD_LOG(text)                                                                              \
	"XBIND_LOG: cannot read \"" text "\": give 1 for stderr, another descriptor number, or 0 " \
	"for no log\n"

static void body_log_elsewhere(void)
{
	int pipe_fds[2];
	char line[512] = "";
	const char *end = "left alone: x\n";
	ssize_t len;

	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	CHECK_EQ(dup2(pipe_fds[1], 77), 77);
	close(pipe_fds[1]);
	load();
	log_left(1, 2, "x");
	len = read(pipe_fds[0], line, sizeof(line) - 1);
	CHECK(len > 20 && strcmp(line + len - strlen(end), end) == 0);
	close(pipe_fds[0]);
	log_left(1, 2, "the reader is gone, and SIGPIPE must not end us");
}

/* The reader closes the pipe between the library's poll(2) and its write(2). */
static void body_log_leaving(void)
{
	int pipe_fds[2];
	sigset_t held;

	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	CHECK_EQ(dup2(pipe_fds[1], 77), 77);
	load();
	reader = pipe_fds[0];
	log_left(1, 2, "the reader goes now, and SIGPIPE must not end us");
	CHECK_EQ(reader, -1);
	CHECK_EQ(sigpending(&held), 0);
	CHECK_EQ(sigismember(&held, SIGPIPE), 0);
}

/* The program has replaced the log's descriptor by a file of its own, on the same device. */
static void body_log_replaced(void)
{
	int log = memfd_create("log", MFD_CLOEXEC), file = memfd_create("file", MFD_CLOEXEC);

	CHECK(file >= 0);
	CHECK_EQ(dup2(log, STDERR_FILENO), STDERR_FILENO);
	load();
	CHECK_EQ(dup2(file, STDERR_FILENO), STDERR_FILENO);
	log_left(1, 2, "x");
	CHECK_EQ(lseek(file, 0, SEEK_END), 0);
	close(STDERR_FILENO);
	log_left(1, 2, "x");
}

/*
 * The descriptor was closed when the library was loaded: what has the number now is the program's.
 */
static void body_log_closed(void)
{
	int pipe_fds[2];
	char byte;

	load();
	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	CHECK_EQ(dup2(pipe_fds[1], 77), 77);
	log_left(1, 2, "x");
	CHECK_EQ(read(pipe_fds[0], &byte, 1), -1);
}

/* A socket whose peer has stopped reading; and then one whose peer reads. */
static void body_log_socket(void)
{
	int pair[2];
	char line[512] = "";

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(dup2(pair[0], 77), 77);
	load();
	log_left(1, 2, "x");
	CHECK(read(pair[1], line, sizeof(line)) > 20);
	CHECK_EQ(shutdown(pair[1], SHUT_RD), 0);
	log_left(1, 2, "SIGPIPE must not end us");
}

/* A full pipe that nobody reads must not block the program. */
static void body_log_full(void)
{
	int pipe_fds[2];
	char block[4096] = "";

	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(pipe_fds[1], block, sizeof(block)) > 0)
		;
	CHECK_EQ(fcntl(pipe_fds[1], F_SETFL, 0), 0);
	CHECK_EQ(dup2(pipe_fds[1], 77), 77);
	load();
	alarm(20);
	log_left(1, 2, "x");
}

/* A constructor of another library may bind before ours runs. */
static void body_log_early(void)
{
	log_left(1, 2, "x");
}

static void body_log_off(void)
{
	load();
	log_left(1, 2, "x");
	CHECK_EQ(config_log_fd(), -1);
}

static void test_log(void)
{
	set("XSOCKET", NULL);
	in_child(NULL, "1", body_log, LOGGED);
	in_child(NULL, "01", body_log, LOGGED);
	in_child(NULL, "2", body_log, LOGGED);
	in_child(NULL, "1", body_log_early, "bind of descriptor 1 to port 2: left alone: x\n");
	in_child(NULL, "77", body_log_elsewhere, "");
	in_child(NULL, "77", body_log_leaving, "");
	in_child(NULL, "1", body_log_replaced, "");
	in_child(NULL, "77", body_log_closed, "");
	in_child(NULL, "77", body_log_socket, "");
	in_child(NULL, "77", body_log_full, "");
	in_child(NULL, "999", body_log, ""); /* not open */
	in_child(NULL, "2147483647", body_log, "");
	in_child(NULL, NULL, body_log_off, "");
	in_child(NULL, "", body_log_off, "");
	in_child(NULL, "0", body_log_off, "");
	in_child(NULL, "yes", body_log_off, BAD_LOG("yes"));
	in_child(NULL, "-1", body_log_off, BAD_LOG("-1"));
	in_child(NULL, "2147483648", body_log_off, BAD_LOG("2147483648"));
	in_child(NULL, "99999999999", body_log_off, BAD_LOG("99999999999"));
}

int main(void)
{
	RUN(test_log);
	return 0;
}
