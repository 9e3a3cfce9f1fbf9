/* SPDX-License-Identifier: MIT */
/*
 * handover.c - one request, one reply, one socket
 *
 * How it works: the connection is non-blocking and poll(2) waits, so that no call blocks past the
 * deadline. Connecting is the exception: while the backlog is full, a non-blocking connect(2) to a
 * UNIX socket fails with EAGAIN and cannot be polled. Only then is connect(2) called again on a
 * blocking socket, which SO_SNDTIMEO limits. When nothing goes wrong the system calls are socket,
 * connect, sendto, ppoll, recvmsg, the four of verify.c, fcntl, and close.
 */
#include "core/handover.h"
#include "core/fd.h"
#include "core/verify.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#ifndef SO_SNDTIMEO_NEW
#define SO_SNDTIMEO_NEW 67 /* musl hides it where SO_SNDTIMEO is the same */
#endif

#define FDS_TAKEN 2 /* descriptors: one is right, a second one proves the reply malformed */

/* SO_SNDTIMEO in the layout of 64-bit time, whatever time_t is here */
static int set_send_wait(int fd, int wait_ms)
{
	struct {
		int64_t seconds;
		int64_t microseconds;
	} wait = {wait_ms / 1000, wait_ms % 1000 * INT64_C(1000)};
	int name = sizeof(long) == 8 ? SO_SNDTIMEO : SO_SNDTIMEO_NEW;

	return sys_setsockopt(fd, SOL_SOCKET, name, &wait, sizeof(wait));
}

/* The backlog is full: wait inside connect(2) until there is room or the time is over. */
static int connect_waiting(int fd, const struct address *address, const struct deadline *deadline)
{
	int rc = fd_set_nonblocking(fd, false);

	if (rc < 0)
		return rc;
	do {
		int left = deadline_left_ms(deadline);

		if (left == 0)
			return -ETIMEDOUT;
		rc = set_send_wait(fd, left);
		if (rc == 0)
			rc = sys_connect(fd, &address->sun, address->len);
	} while (rc == -EINTR);
	if (rc == -EAGAIN)
		return -ETIMEDOUT;
	return rc < 0 ? rc : fd_set_nonblocking(fd, true);
}

/* The uid that the kernel shows for every user who is not mapped into this user namespace. */
#define OVERFLOW_UID 65534

/* Does this user namespace map all uids, so that OVERFLOW_UID is the one user of that uid? */
static bool maps_all_uids(void)
{
	static const char END[] = " 4294967295\n"; /* of a map of all uids: how many it maps */
	char map[64];
	CLEANUP_CLOSE int fd = sys_open_proc("/proc/self/uid_map", 0);
	long len = fd < 0 ? fd : sys_read(fd, map, sizeof(map));
	size_t end = sizeof(END) - 1;

	return len >= (long)end && memcmp(map + len - end, END, end) == 0;
}

/* Anybody can bind an abstract name, so look at who listens there before anything is sent. */
static int check_abstract_server(int conn)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc;

	rc = sys_getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (rc < 0)
		return rc;
	if (peer.uid == OVERFLOW_UID && !maps_all_uids())
		return -EACCES;
	return peer.uid == 0 || peer.uid == sys_geteuid() ? 0 : -EACCES;
}

int handover_connect(const char *path, bool any_server, const struct deadline *deadline)
{
	CLEANUP_CLOSE int fd = -1;
	struct address address;
	int rc = address_parse(path, &address);

	if (rc < 0)
		return rc;
	fd = fd_beyond_standard(
	    sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (fd < 0)
		return fd;
	do
		rc = sys_connect(fd, &address.sun, address.len);
	while (rc == -EINTR);
	if (rc == -EAGAIN)
		rc = connect_waiting(fd, &address, deadline);
	if (rc == 0 && address.abstract && !any_server)
		rc = check_abstract_server(fd);
	return rc < 0 ? rc : take_fd(&fd);
}

int handover_send(int conn, const struct wire_request *request)
{
	uint8_t bytes[WIRE_REQUEST_BYTES];
	long rc;

	wire_encode_request(request, bytes);
	do
		rc = sys_sendto(conn, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (rc == -EINTR);
	/* A server at one of its limits sends an error and closes, perhaps before this request
	 * comes: the error can still be received. ECONNRESET: it left an earlier request unread. */
	if (rc == -EPIPE || rc == -ECONNRESET)
		return 0;
	return rc < 0 ? (int)rc : 0;
}

/* Takes the descriptors out of a message. Return: how many are in fds now. */
static size_t collect_fds(struct msghdr *msg, int fds[FDS_TAKEN])
{
	size_t count = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && count < FDS_TAKEN; i++)
			memcpy(&fds[count++], CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
	}
	return count;
}

#define CONTROL_BYTES CMSG_SPACE(sizeof(int) * FDS_TAKEN)

static long look_for_packet(int conn, int flags, struct msghdr *msg)
{
	msg->msg_namelen = sizeof(struct sockaddr_un);
	msg->msg_controllen = CONTROL_BYTES;
	return sys_recvmsg(conn, msg, flags | MSG_DONTWAIT);
}

/* recvmsg(2) returns 0 for an empty packet too, but then with the sender's address. */
static bool is_end(long len, const struct msghdr *msg)
{
	return len == 0 && msg->msg_namelen == 0 && msg->msg_controllen == 0;
}

/*
 * The kernel did not install the descriptor, and does not say why: this process is at its limit of
 * descriptors, or a security module refuses, as SELinux may by the label of the server's socket.
 */
static int why_withheld(int conn)
{
	int fd = sys_fcntl(conn, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -EMFILE;
	sys_close(fd);
	return -EACCES;
}

/*
 * Takes one reply that has arrived. Return: 0 and the socket, not verified yet, in ret_fd; the
 * server's error as a positive number, so that its EAGAIN is not mistaken for ours; -errno when no
 * reply could be read.
 */
static int take_reply(int conn, int flags, int *ret_fd)
{
	uint8_t bytes[WIRE_RESPONSE_BYTES + 1]; /* one more, so that a longer packet is seen */
	struct sockaddr_un name;
	union {
		struct cmsghdr align;
		char space[CONTROL_BYTES];
	} control;
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {
	    .msg_name = &name,
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	};
	int fds[FDS_TAKEN] = {-1, -1};
	size_t count;
	long len;
	int error;

	len = look_for_packet(conn, flags, &msg);
	/* Look again, since either may hide a reply. recvmsg(2) looks for a packet first and for
	 * the end of the stream after that, and both may arrive in between. And if the server
	 * closed with our request unread, it reports ECONNRESET once, before any packet. */
	for (int more = 2; more > 0 && (len == -ECONNRESET || is_end(len, &msg)); more--)
		len = look_for_packet(conn, flags, &msg);
	if (len < 0)
		return (int)len;
	if (is_end(len, &msg))
		return -ECONNRESET;
	count = collect_fds(&msg, fds);
	error = wire_decode_response(bytes, (size_t)len);
	if (error >= 0 && count == (error == 0) && !(msg.msg_flags & MSG_CTRUNC)) {
		if (error == 0)
			*ret_fd = fds[0];
		return error;
	}
	for (size_t i = 0; i < count; i++)
		sys_close(fds[i]);
	/* MSG_CTRUNC although the buffer had room for the descriptor. */
	if (error == 0 && count == 0 && msg.msg_flags & MSG_CTRUNC)
		return why_withheld(conn);
	return -EBADMSG;
}

int handover_wait(int conn, const struct deadline *deadline)
{
	int rc;

	do
		rc = sys_poll(conn, POLLIN, deadline_left_ms(deadline));
	while (rc == -EINTR);
	if (rc == 0)
		return -ETIMEDOUT;
	return rc < 0 ? rc : 0;
}

int handover_take(int conn, const struct wire_request *request, bool cloexec)
{
	CLEANUP_CLOSE int fd = -1;
	int rc;

	do
		rc = take_reply(conn, cloexec ? MSG_CMSG_CLOEXEC : 0, &fd);
	while (rc == -EINTR);
	if (rc == -EAGAIN)
		return HANDOVER_E_NOT_YET;
	if (rc > 0)
		return -rc;
	if (rc == 0)
		rc = verify_socket(fd, request);
	/* Some servers ignore the flag, and some make every socket non-blocking. */
	if (rc == 0)
		rc = fd_set_nonblocking(fd, (request->type & SOCK_NONBLOCK) != 0);
	return rc < 0 ? HANDOVER_E_NOT_YET + rc : take_fd(&fd);
}

int handover_receive(int conn, const struct wire_request *request, bool cloexec,
                     const struct deadline *deadline)
{
	int rc;

	do {
		rc = handover_wait(conn, deadline);
		if (rc < 0)
			return rc;
		rc = handover_take(conn, request, cloexec);
	} while (rc == HANDOVER_E_NOT_YET && deadline_left_ms(deadline) != 0);
	if (rc == HANDOVER_E_NOT_YET)
		return -ETIMEDOUT;
	return rc < HANDOVER_E_NOT_YET ? rc - HANDOVER_E_NOT_YET : rc;
}

int handover_socket(const char *path, int domain, int type, int protocol, int wait_ms)
{
	const struct wire_request request = {domain, type & ~SOCK_CLOEXEC, protocol};
	const struct deadline deadline = deadline_in(wait_ms);
	CLEANUP_CLOSE int conn = handover_connect(path, address_any_server(), &deadline);
	int rc = conn < 0 ? conn : handover_send(conn, &request);

	if (rc < 0)
		return rc;
	return handover_receive(conn, &request, (type & SOCK_CLOEXEC) != 0, &deadline);
}
