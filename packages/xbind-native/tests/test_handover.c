/* SPDX-License-Identifier: MIT */
/* test_handover.c - waiting for a busy server, its reasons for refusing, and the deadline */
#include "test.h"

#include "core/handover.h"
#include "core/sys.h"
#include "support/child.h"
#include "support/forbid.h"
#include "support/limit.h"
#include "support/pass.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

static const struct wire_request tcp = {AF_INET, SOCK_STREAM, 0};
static const uint8_t consent[] = {'X', 'S', '0', '2', 0, 0, 0, 0};
static const uint8_t refusal[] = {'X', 'S', '0', '2', 0, 0, 0, EMFILE};

/* recvmsg(2) fails so many times with EAGAIN though poll(2) reported a packet. */
static int comes_to_nothing;
/* Descriptor by which the server replies and closes during recvmsg(2), or -1. */
static int answers_late = -1;

/* If is_said, the user of every server, or the error of asking for it. */
static struct {
	bool is_said;
	unsigned uid;
	int error;
} owner;

long sys_call(long number, const long args[6])
{
	if (owner.is_said && number == SYS_getsockopt && args[2] == SO_PEERCRED) {
		((struct ucred *)args[3])->uid = owner.uid;
		return owner.error;
	}
	if (number == SYS_recvmsg && comes_to_nothing > 0) {
		comes_to_nothing--;
		return -EAGAIN;
	}
	/* The kernel looks for a packet first and for the end of the stream after that. */
	if (number == SYS_recvmsg && answers_late >= 0) {
		struct msghdr *msg = (struct msghdr *)args[1];

		CHECK_EQ(send(answers_late, refusal, sizeof(refusal), 0), (ssize_t)sizeof(refusal));
		close(answers_late);
		answers_late = -1;
		msg->msg_namelen = 0;
		msg->msg_controllen = 0;
		return 0;
	}
	return test_enter(number, args);
}

/* Return: what a client gets from a server that closes before or after the request, with a
 * refusal or without. */
static int ask(bool asks_first, bool says_why)
{
	const struct deadline deadline = deadline_in(1000);
	int pair[2], rc;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (asks_first)
		CHECK_EQ(handover_send(pair[0], &tcp), 0);
	if (says_why)
		CHECK_EQ(send(pair[1], refusal, sizeof(refusal), 0), (ssize_t)sizeof(refusal));
	close(pair[1]);
	if (!asks_first)
		CHECK_EQ(handover_send(pair[0], &tcp), 0);
	rc = handover_receive(pair[0], &tcp, true, &deadline);
	close(pair[0]);
	return rc;
}

static void test_before_the_request(void)
{
	CHECK_EQ(ask(false, true), -EMFILE);
	CHECK_EQ(ask(false, false), -ECONNRESET);
}

static void test_without_reading_it(void)
{
	CHECK_EQ(ask(true, true), -EMFILE);
	CHECK_EQ(ask(true, false), -ECONNRESET);
}

/* The server closes with a request unread, and the next request hears of that. */
static void test_between_two_requests(void)
{
	const struct deadline deadline = deadline_in(1000);
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(handover_send(pair[0], &tcp), 0);
	CHECK_EQ(send(pair[1], refusal, sizeof(refusal), 0), (ssize_t)sizeof(refusal));
	close(pair[1]);
	CHECK_EQ(handover_send(pair[0], &tcp), 0);
	CHECK_EQ(handover_receive(pair[0], &tcp, true, &deadline), -EMFILE);
	CHECK_EQ(handover_receive(pair[0], &tcp, true, &deadline), -ECONNRESET);
	close(pair[0]);
}

/* The time left shrinks, also by less than a second. */
static void test_left(void)
{
	const struct deadline deadline = deadline_in(60000);

	for (int i = 0, left = 60000; i < 4; i++) {
		poll(NULL, 0, 20);
		CHECK(deadline_left_ms(&deadline) < left);
		left = deadline_left_ms(&deadline);
	}
}

/* Return: what a client gets of a reply for which recvmsg(2) fails so many times. */
static int receive_after(int failures, int wait_ms)
{
	const struct deadline deadline = deadline_in(wait_ms);
	int pair[2], rc;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(send(pair[1], refusal, sizeof(refusal), 0), (ssize_t)sizeof(refusal));
	comes_to_nothing = failures;
	rc = handover_receive(pair[0], &tcp, true, &deadline);
	comes_to_nothing = 0;
	close(pair[0]);
	close(pair[1]);
	return rc;
}

static void test_comes_to_nothing(void)
{
	CHECK_EQ(receive_after(3, 60000), -EMFILE);
	CHECK_EQ(receive_after(INT_MAX, 20), -ETIMEDOUT);
}

/* The server replies and closes during recvmsg(2), with a request unread if asks. */
static void end_in_between(bool asks)
{
	const struct deadline deadline = deadline_in(1000);
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (asks)
		CHECK_EQ(handover_send(pair[0], &tcp), 0);
	answers_late = pair[1];
	CHECK_EQ(handover_take(pair[0], &tcp, true), -EMFILE);
	CHECK_EQ(handover_receive(pair[0], &tcp, true, &deadline), -ECONNRESET);
	close(pair[0]);
}

static void test_end_in_between(void)
{
	end_in_between(false);
	end_in_between(true);
}

/* Replies with a blocking socket, or with two copies of it. */
static void answer(int conn, bool twice)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0), fds[] = {fd, fd};

	CHECK_EQ(pass_send(conn, consent, sizeof(consent), fds, twice ? 2 : 1), sizeof(consent));
	close(fd);
}

/* Receives a reply while room more descriptors may be opened. */
static int take(const struct wire_request *request, bool twice, rlim_t room)
{
	const struct deadline deadline = deadline_in(1000);
	int pair[2], rc;
	rlim_t before;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	answer(pair[1], twice);
	before = limit_fds((rlim_t)pair[1] + 1 + room);
	rc = handover_receive(pair[0], request, true, &deadline);
	limit_fds(before);
	close(pair[0]);
	close(pair[1]);
	return rc;
}

/* The descriptor is withheld though there is room for one, as by SELinux. The kernel gives no
 * reason; here the sender's credentials fill the control buffer. */
static void test_withheld(void)
{
	const struct deadline deadline = deadline_in(1000);
	const int on = 1;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	answer(pair[1], false);
	CHECK_EQ(handover_receive(pair[0], &tcp, true, &deadline), -EACCES);
	close(pair[0]);
	close(pair[1]);
}

/* No descriptor may be opened, or only one of the two in a reply that is malformed anyway. */
static void test_no_room(void)
{
	CHECK_EQ(take(&tcp, false, 0), -EMFILE);
	CHECK_EQ(take(&tcp, true, 1), -EBADMSG);
}

/* Sends these bytes with so many copies of fd. Return: what the client gets. */
static int receive_reply_consume(const char *bytes, size_t len, int fd, size_t count)
{
	const struct deadline deadline = deadline_in(1000);
	const int fds[] = {fd, fd};
	int pair[2], rc;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(pass_send(pair[1], bytes, len, fds, count), len);
	close(fd);
	rc = handover_receive(pair[0], &tcp, true, &deadline);
	close(pair[0]);
	close(pair[1]);
	return rc;
}

/* What comes with a malformed reply is closed. */
static void test_malformed(void)
{
	static const struct {
		const char *bytes;
		size_t len, fds;
	} replies[] = {
	    {"XS02\0\0\0", 7, 1},   {"XS02\0\0\0\0\0", 9, 1}, {"XS01\0\0\0\0", 8, 1},
	    {"XS02\0\0\0\1", 8, 1}, {"XS02\0\0\0\0", 8, 0},   {"XS02\0\0\0\0", 8, 2},
	};

	for (size_t i = 0; i < COUNT(replies); i++)
		CHECK_EQ(receive_reply_consume(replies[i].bytes, replies[i].len,
		                               socket(AF_INET, SOCK_STREAM, 0), replies[i].fds),
		         -EBADMSG);
	CHECK_EQ(receive_reply_consume("XS02\0\0\0\0", 8, socket(AF_UNIX, SOCK_STREAM, 0), 1),
	         -EBADMSG);
}

/* O_NONBLOCK is set as requested, whatever the server has done about it. */
static void test_nonblocking(void)
{
	const struct wire_request request = {AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0};
	int fd = take(&request, false, 1);

	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

static struct sockaddr_un here; /* sun_path: where the listener is, as for handover_connect() */

/* Listens at a path, or NULL for an abstract name that the kernel chooses. Return: the listener. */
static int listen_somewhere(const char *path)
{
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t len = path ? sizeof(here) : sizeof(sa_family_t);

	here = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(here.sun_path, path ? path : "");
	CHECK_EQ(bind(fd, (struct sockaddr *)&here, len), 0);
	len = sizeof(here);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&here, &len), 0);
	if (!path)
		here.sun_path[0] = '@';
	CHECK_EQ(listen(fd, 0), 0);
	return fd;
}

/* Return: the outcome of connecting to a server of that user. */
static int connect_to_owner(unsigned uid, int error, const char *path, bool any_server)
{
	const struct deadline deadline = deadline_in(1000);
	const int listener = listen_somewhere(path);
	int rc;

	owner.is_said = true;
	owner.uid = uid;
	owner.error = error;
	rc = handover_connect(here.sun_path, any_server, &deadline);
	owner.is_said = false;
	close(listener);
	if (rc >= 0)
		close(rc);
	return rc < 0 ? rc : 0;
}

/* Anybody may take an abstract name, so its server has to be root's or this user's. */
static void test_abstract(void)
{
	const unsigned own = geteuid();
	char path[64];

	CHECK_EQ(connect_to_owner(0, 0, NULL, false), 0);
	CHECK_EQ(connect_to_owner(own, 0, NULL, false), 0);
	CHECK_EQ(connect_to_owner(own + 1, 0, NULL, false), -EACCES);
	CHECK_EQ(connect_to_owner(own + 1, 0, NULL, true), 0);
	CHECK_EQ(connect_to_owner(own, -EXDEV, NULL, false), -EXDEV);
	snprintf(path, sizeof(path), "/tmp/test_handover.%d", getpid());
	CHECK_EQ(connect_to_owner(own + 1, 0, path, false), 0);
	unlink(path);
}

/* Both would be an abstract name of one byte. */
static void test_no_name(void)
{
	const struct deadline deadline = deadline_in(1000);

	CHECK_EQ(handover_connect("", false, &deadline), -EINVAL);
	CHECK_EQ(handover_connect("@", false, &deadline), -EINVAL);
}

#ifndef __SANITIZE_THREAD__
#define TICK_MS 10 /* milliseconds */

static struct {
	int listener;
	int waiting; /* the connection that fills the backlog */
	int ticks;   /* until there is room; 0 for never */
} full;

static void tick(int signal)
{
	(void)signal;
	if (full.ticks > 0 && --full.ticks == 0)
		close(accept(full.listener, NULL, NULL));
}

static void set_interval(int ms)
{
	const struct timeval interval = {.tv_usec = ms * 1000};

	CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){interval, interval}, NULL), 0);
}

/* Connects to a server whose backlog is full, and has room after some ticks. Return: the
 * connection. */
static int connect_to_full(int ticks, int tick_ms, int wait_ms)
{
	const struct deadline deadline = deadline_in(wait_ms);
	const struct sigaction action = {.sa_handler = tick};
	int rc;

	full.listener = listen_somewhere(NULL);
	full.waiting = handover_connect(here.sun_path, true, &deadline);
	CHECK(full.waiting >= 0);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	full.ticks = ticks;
	set_interval(tick_ms);
	rc = handover_connect(here.sun_path, true, &deadline);
	set_interval(0);
	close(full.waiting);
	close(full.listener);
	return rc;
}

/* The connection waits for room until its deadline, whatever signals come. */
static void test_full_backlog(void)
{
	const int conn = connect_to_full(3, TICK_MS, 60000);

	CHECK(conn >= 0);
	CHECK(fcntl(conn, F_GETFL) & O_NONBLOCK);
	close(conn);
	CHECK_EQ(connect_to_full(0, TICK_MS, 5 * TICK_MS), -ETIMEDOUT);
	CHECK_EQ(connect_to_full(0, 0, TICK_MS), -ETIMEDOUT);
}
#endif

static void serve_one(int listener)
{
	char request[64];
	int conn;

	alarm(60); /* for a client that was killed */
	conn = accept(listener, NULL, NULL);
	CHECK_EQ(recv(conn, request, sizeof(request), 0), WIRE_REQUEST_BYTES);
	answer(conn, false);
	close(conn);
}

/* A filter that kills the process at any call that xsocket(3) does not list. */
static void test_allowed(void)
{
	const long calls[] = {
	    SYS_socket,  SYS_connect,     SYS_sendto,        SYS_ppoll,
	    SYS_recvmsg, SYS_getsockname, SYS_getsockopt,    SYS_fcntl,
	    SYS_close,   SYS_exit_group,  SYS_clock_gettime,
	};
	const int listener = listen_somewhere(NULL);
	const pid_t server = child_start();

	setenv("XSOCKET_ANY_SERVER", "1", 1);
	if (server == 0) {
		serve_one(listener);
		_exit(0);
	}
	forbid_others(calls, COUNT(calls));
	CHECK(handover_socket(here.sun_path, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 60000) >= 0);
}

int main(void)
{
	RUN(test_before_the_request);
	RUN(test_without_reading_it);
	RUN(test_between_two_requests);
	RUN(test_left);
	RUN(test_comes_to_nothing);
	RUN(test_end_in_between);
	if (!getenv("TEST_EMULATOR")) /* which opens descriptors of its own */
		RUN(test_no_room);
	RUN(test_malformed);
	RUN(test_withheld);
	RUN(test_nonblocking);
	RUN(test_abstract);
	RUN(test_no_name);
	RUN_BY(forbid_run, test_allowed);
#ifndef __SANITIZE_THREAD__ /* which delays signals */
	RUN(test_full_backlog);
#endif
	return 0;
}
