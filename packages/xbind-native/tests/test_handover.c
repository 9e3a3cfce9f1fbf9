/* SPDX-License-Identifier: MIT */
/*
 * test_handover.c - why a server refuses is heard, whenever it closes, and the deadline holds
 */
#include "test.h"

#include "core/handover.h"
#include "core/sys.h"

#include <sys/socket.h>
#include <sys/syscall.h>

static const struct wire_request tcp = {AF_INET, SOCK_STREAM, 0};
static const uint8_t refusal[] = {'X', 'S', '0', '2', 0, 0, 0, EMFILE};

/* poll(2) says that there is something, and there is nothing each time. */
static bool comes_to_nothing;

long sys_call(long number, const long args[6])
{
	long rc;

	if (comes_to_nothing && number == SYS_recvmsg)
		return -EAGAIN;
	rc = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	return rc < 0 ? -errno : rc;
}

/* What a client gets from a server that closes before or after the request, with a word or without.
 */
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

/* A server that closes with a request unread; the next one is told of that. */
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

static void test_deadline(void)
{
	const struct deadline deadline = deadline_in(20);
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(send(pair[1], refusal, sizeof(refusal), 0), (ssize_t)sizeof(refusal));
	comes_to_nothing = true;
	CHECK_EQ(handover_receive(pair[0], &tcp, true, &deadline), -ETIMEDOUT);
	comes_to_nothing = false;
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	RUN(test_before_the_request);
	RUN(test_without_reading_it);
	RUN(test_between_two_requests);
	RUN(test_deadline);
	return 0;
}
