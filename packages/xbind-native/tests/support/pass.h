/* SPDX-License-Identifier: MIT */
/* pass.h - pass descriptors with a packet over a UNIX socket */
#ifndef SUPPORT_PASS_H
#define SUPPORT_PASS_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define PASS_MAX     4     /* descriptors */
#define PASS_TRIES   300   /* tries, while other programs have too many in flight */
#define PASS_WAIT_US 10000 /* microseconds between tries */

union pass_control {
	struct cmsghdr header;
	char space[CMSG_SPACE(PASS_MAX * sizeof(int))];
};

/*
 * The kernel limits the descriptors in flight of all processes of a user to RLIMIT_NOFILE. Without
 * capabilities this process has to wait while other programs exceed that. Return: as sendmsg(2).
 */
static inline ssize_t pass_send(int to, const void *bytes, size_t len, const int *fds, size_t count)
{
	union pass_control control = {
	    .header = {.cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int)),
	               .cmsg_level = SOL_SOCKET,
	               .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {(void *)bytes, len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	const int before = errno;
	ssize_t sent;

	if (count > 0) {
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
	}
	for (int i = 0; i < PASS_TRIES; i++) {
		errno = before;
		sent = sendmsg(to, &message, MSG_NOSIGNAL);
		if (sent >= 0 || errno != ETOOMANYREFS)
			break;
		usleep(PASS_WAIT_US);
	}
	return sent;
}

/* Receives a packet of one byte. If fewer descriptors have come, fds is unchanged. Return: as
 * recvmsg(2). */
static inline ssize_t pass_receive(int from, int *fds, size_t count, int flags)
{
	union pass_control control;
	struct iovec iov = {&(char){0}, 1};
	struct msghdr message = {.msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};
	const ssize_t len = recvmsg(from, &message, flags);

	if (len >= 0 && message.msg_controllen >= CMSG_LEN(count * sizeof(int)))
		memcpy(fds, CMSG_DATA(&control.header), count * sizeof(int));
	return len;
}

#endif
