/* SPDX-License-Identifier: MIT */
/* step_data.c - sending and receiving, and the results of poll(2) and select(2) */
#include "differ/differ.h"

#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

void step_send(void)
{
	static const int flags[] = {
	    0,           0, 0, MSG_OOB, MSG_MORE, MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM, MSG_FASTOPEN,
	    MSG_ZEROCOPY};
	static const size_t lengths[] = {0, 1, 1, 10, 100, 1500, 9000};
	static char bytes[9000];
	union address address = {0};
	int fd = a_socket(), flag = ONE_OF(flags) | MSG_DONTWAIT | MSG_NOSIGNAL;
	bool named = one_in(2);
	socklen_t len = 0;
	size_t count = ONE_OF(lengths);

	if (named && (one_in(4) || !address_of(a_socket(), &address, &len)))
		len = an_address(fd, &address);
	publish(&address);
	memset(bytes, 'a' + (int)below(26), sizeof(bytes));
	say("send %d %zu %x", fd, count, (unsigned)flag);
	if (named)
		say_address(&address, len);
	if (!may_talk(fd) || (named && flag & MSG_FASTOPEN && stays_half(fd, &address))) {
		say(" not from there");
		return;
	}
	SAY_CALL(sendto(fd, bytes, count, flag, named ? &address.any : NULL, len));
}

/* All but times, ports, and labels that the kernel chooses. */
static bool is_same_each_time(const struct cmsghdr *head)
{
	if (head->cmsg_level == IPPROTO_IPV6)
		return head->cmsg_type != 11 /* FLOWINFO */ && head->cmsg_type != 74;
	return head->cmsg_level == IPPROTO_IP && head->cmsg_type != 20 /* ORIGDSTADDR */;
}

static void say_controls(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head)) {
		size_t len = head->cmsg_len - CMSG_LEN(0);

		say(" control %d %d %zu ", head->cmsg_level, head->cmsg_type, len);
		if (is_same_each_time(head)) /* an error has 16 bytes, followed by an address */
			say_bytes(CMSG_DATA(head), len < 16 ? len : 16);
	}
}

void receive(int fd)
{
	static const int flags[] = {0,          0, 0, 0, MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_ERRQUEUE,
	                            MSG_WAITALL};
	static char bytes[2000];
	static union {
		struct cmsghdr head;
		char bytes[1000];
	} control;
	union address address = {0};
	struct iovec iov = {bytes, one_in(3) ? 5 : sizeof(bytes)};
	struct msghdr message = {.msg_name = &address,
	                         .msg_namelen = sizeof(address.storage),
	                         .msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};
	int flag = ONE_OF(flags) | MSG_DONTWAIT;
	long rc;

	say("receive %d %x", fd, (unsigned)flag);
	SAY_CALL(rc = recvmsg(fd, &message, flag));
	if (rc < 0)
		return;
	say(" %x", (unsigned)message.msg_flags);
	say_bytes(bytes, rc > 0 ? 1 : 0);
	if (message.msg_namelen > 0)
		say_address(&address, message.msg_namelen);
	say_controls(&message);
}

void step_receive(void)
{
	receive(a_socket());
}

static const struct timespec no_time;

static void poll_all(void)
{
	static const short wanted[] = {POLLIN | POLLOUT | POLLPRI | POLLRDHUP, POLLIN, POLLOUT, 0,
	                               POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND};
	struct pollfd entries[SLOTS];
	short events = ONE_OF(wanted);

	for (int i = 0; i < SLOTS; i++)
		entries[i] = (struct pollfd){.fd = sequence.slots[i], .events = events};
	say("poll %x", (unsigned)events);
	SAY_CALL(one_in(2) ? poll(entries, SLOTS, 0) : ppoll(entries, SLOTS, &no_time, NULL));
	for (int i = 0; i < SLOTS; i++)
		say(" %x", (unsigned)entries[i].revents);
}

static void select_all(void)
{
	struct timeval now = {0};
	fd_set sets[3];

	for (int i = 0; i < 3; i++) {
		FD_ZERO(&sets[i]);
		for (int j = 0; j < SLOTS; j++) {
			if (sequence.slots[j] >= 0)
				FD_SET(sequence.slots[j], &sets[i]);
		}
	}
	say("select");
	SAY_CALL(one_in(2) ? select(FD_SETSIZE, &sets[0], &sets[1], &sets[2], &now)
	                   : pselect(FD_SETSIZE, &sets[0], &sets[1], &sets[2], &no_time, NULL));
	for (int i = 0; i < SLOTS; i++) {
		int fd = sequence.slots[i];

		if (fd >= 0)
			say(" %d:%d%d%d", fd, !!FD_ISSET(fd, &sets[0]), !!FD_ISSET(fd, &sets[1]),
			    !!FD_ISSET(fd, &sets[2]));
	}
}

void step_poll(void)
{
	if (one_in(2))
		poll_all();
	else
		select_all();
}
