/* SPDX-License-Identifier: MIT */
/* step_vector.c - sending and receiving by calls other than sendto(2) and recvmsg(2) */
#include "differ/differ.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MESSAGES 3

static char bytes[MESSAGES][200];

/* Fills message i with one or two buffers. */
static void fill(struct iovec (*pieces)[2], struct msghdr *message, int i)
{
	size_t len = below(3) * 50;

	(*pieces)[0] = (struct iovec){bytes[i], len};
	(*pieces)[1] = (struct iovec){bytes[i] + len, 20};
	*message = (struct msghdr){.msg_iov = *pieces, .msg_iovlen = 1 + below(2)};
}

static void send_many(int fd)
{
	struct mmsghdr messages[MESSAGES] = {0};
	struct iovec pieces[MESSAGES][2];
	union address address = {0};
	socklen_t len = 0;
	bool named = one_in(2) && address_of(a_socket(), &address, &len);

	publish(&address);
	for (int i = 0; i < MESSAGES; i++) {
		fill(&pieces[i], &messages[i].msg_hdr, i);
		if (named && !one_in(4)) {
			messages[i].msg_hdr.msg_name = &address;
			messages[i].msg_hdr.msg_namelen = len;
		}
	}
	say("sendmmsg %d", fd);
	if (named)
		say_address(&address, len);
	SAY_CALL(sendmmsg(fd, messages, MESSAGES, MSG_DONTWAIT | MSG_NOSIGNAL));
	for (int i = 0; i < MESSAGES; i++)
		say(" %u", messages[i].msg_len);
}

static void receive_many(int fd)
{
	static const int flags[] = {0, 0, MSG_PEEK, MSG_WAITFORONE, MSG_TRUNC, MSG_ERRQUEUE};
	struct mmsghdr messages[MESSAGES] = {0};
	struct iovec pieces[MESSAGES][2];
	union address addresses[MESSAGES] = {0};
	struct timespec now = {0};
	int flag = ONE_OF(flags), count;
	bool hurried = one_in(2);

	for (int i = 0; i < MESSAGES; i++) {
		fill(&pieces[i], &messages[i].msg_hdr, i);
		messages[i].msg_hdr.msg_name = &addresses[i];
		messages[i].msg_hdr.msg_namelen = sizeof(addresses[i].storage);
	}
	say("recvmmsg %d %x", fd, (unsigned)flag);
	before_call();
	count = recvmmsg(fd, messages, MESSAGES, flag | MSG_DONTWAIT, hurried ? &now : NULL);
	say_result(count);
	/* The error of a later message stays pending until it is read, or the socket moves:
	 * xbind(7). */
	say(" left %d", option_of(fd, SOL_SOCKET, SO_ERROR, 0));
	for (int i = 0; i < count; i++) {
		say(" %u %x", messages[i].msg_len, (unsigned)messages[i].msg_hdr.msg_flags);
		if (messages[i].msg_hdr.msg_namelen > 0)
			say_address(&addresses[i], messages[i].msg_hdr.msg_namelen);
	}
}

static void move_bytes(int fd, bool in)
{
	struct iovec pieces[2] = {{bytes[0], below(200)}, {bytes[1], below(200)}};
	int way = (int)below(4);
	long rc;

	say("%s %d way %d", in ? "read" : "write", fd, way);
	before_long_call();
	if (way == 0)
		rc = in ? read(fd, bytes, 100) : write(fd, bytes, 100);
	else if (way == 1)
		rc = in ? readv(fd, pieces, 2) : writev(fd, pieces, 2);
	else if (way == 2)
		rc = in ? pread(fd, bytes, 100, 0) : pwrite(fd, bytes, 100, 0);
	else
		rc = in ? preadv2(fd, pieces, 2, -1, RWF_NOWAIT)
		        : pwritev2(fd, pieces, 2, -1, RWF_NOWAIT);
	after_long_call();
	say_result(rc);
}

/* Sends from a memfd, and from pages of this process. */
static void send_file(int fd)
{
	int file = memfd_create("differ", MFD_CLOEXEC), ends[2];
	struct iovec pages = {bytes, sizeof(bytes)};
	off_t at = 0;
	long rc;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 || write(file, bytes, sizeof(bytes)) < 0)
		return;
	say("sendfile %d", fd);
	before_long_call();
	rc = sendfile(fd, file, one_in(2) ? &at : NULL, 100);
	after_long_call();
	say_result(rc);
	say(" %d", (int)at);
	before_long_call();
	rc = vmsplice(ends[1], &pages, 1, SPLICE_F_NONBLOCK);
	if (rc > 0)
		rc = splice(ends[0], NULL, fd, NULL, 50, SPLICE_F_NONBLOCK);
	after_long_call();
	say_result(rc);
	close(ends[0]);
	close(ends[1]);
	close(file);
}

static void splice_bytes(int fd, bool in)
{
	int ends[2];
	long rc;

	say("splice %s %d", in ? "from" : "to", fd);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	if (!in && write(ends[1], bytes, sizeof(bytes)) < 0)
		return;
	before_long_call();
	if (in)
		rc = splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK);
	else
		rc = splice(ends[0], NULL, fd, NULL, 100,
		            SPLICE_F_NONBLOCK | (one_in(2) ? SPLICE_F_MORE : 0));
	after_long_call();
	say_result(rc);
	close(ends[0]);
	close(ends[1]);
}

void step_vector(void)
{
	int fd = a_socket(), way = (int)below(6);

	memset(bytes, 'a' + (int)below(26), sizeof(bytes));
	if ((way == 5 || way % 2 == 0) && !may_talk(fd))
		return;
	if (way == 0)
		send_many(fd);
	else if (way == 1)
		receive_many(fd);
	else if (way <= 3)
		move_bytes(fd, way == 3);
	else if (way == 4)
		splice_bytes(fd, one_in(2));
	else
		send_file(fd);
}
