/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include "core/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* connections */

int bench_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static long send_reply(int conn, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
	                 .cmsg_len = CMSG_LEN(sizeof(int)),
	                 .cmsg_level = SOL_SOCKET,
	                 .cmsg_type = SCM_RIGHTS,
	             }};
	uint8_t bytes[WIRE_RESPONSE_BYTES];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};

	wire_encode_response(0, bytes);
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(conn, &msg, MSG_NOSIGNAL);
}

int bench_answer(int conn)
{
	uint8_t bytes[WIRE_REQUEST_BYTES];
	struct wire_request request;
	ssize_t len = recv(conn, bytes, sizeof(bytes), 0);
	long sent;
	int fd;

	if (len <= 0 || wire_decode_request(bytes, (size_t)len, &request) < 0)
		return 0;
	fd = socket(request.domain, request.type | SOCK_CLOEXEC, request.protocol);
	if (fd < 0)
		return 0;
	sent = send_reply(conn, fd);
	close(fd);
	return sent > 0;
}
