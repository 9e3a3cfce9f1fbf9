/* SPDX-License-Identifier: MIT */
/*
 * packet.c - the private symbol set: packets on the control socket, and descriptors in them
 */
#include "xsocket/private.h"

#include "core/sys.h"
#include "core/visibility.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

EXPORT int xs1_receive_packet(int fd, void *buf, unsigned len)
{
	/* Without room for control data the kernel drops the descriptors that come with a packet:
	 * they never enter this process, so that they can neither leak nor use up its limit. */
	const int flags = MSG_DONTWAIT | MSG_TRUNC;
	const int rc = (int)sys_recvfrom(fd, buf, len, flags);

	/* 0 without the end of the stream was an empty packet. */
	if (rc != 0 || sys_poll(fd, POLLRDHUP, 0) <= 0)
		return rc;
	/* The kernel looks for a packet first and for the end after that, so it also reports the
	 * end if both have arrived in between. Then the packet is there by now. */
	return (int)sys_recvfrom(fd, buf, len, flags);
}

EXPORT int xs1_drop_packets(int fd)
{
	int one = 1;
	int rc = sys_setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	struct msghdr msg;

	/* An empty packet reads like the end. But only a packet comes with credentials, and since
	 * there is no room for them here, the kernel sets MSG_CTRUNC. */
	while (rc >= 0) {
		msg = (struct msghdr){0};
		rc = (int)sys_recvmsg(fd, &msg, MSG_DONTWAIT);
		if (rc >= 0 && !(msg.msg_flags & MSG_CTRUNC))
			return 0;
	}
	return rc;
}

EXPORT int xs1_send_packet(int fd, const void *buf, unsigned len, int passed_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
	                 .cmsg_len = CMSG_LEN(sizeof(int)),
	                 .cmsg_level = SOL_SOCKET,
	                 .cmsg_type = SCM_RIGHTS,
	             }};
	struct iovec iov = {(void *)buf, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed_fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &passed_fd, sizeof(passed_fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return (int)SYS_CALL(SYS_sendmsg, fd, (long)&msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}
