/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the servers to compare with
 *
 * The floor is the least a server can do: accept4, recv, socket, sendmsg, close, close, one by one.
 * With "fork" it is one as people have it today: a process for each connection.
 */
#include "support/wire_server.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 4096 /* connections */

/* A listening socket at path, whose file is replaced. Exits with a message on failure. */
static int open_listener(const char *path)
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

/* Answers one request with a socket. Return: whether another one may come. */
static bool answer(int conn)
{
	uint8_t bytes[WIRE_REQUEST_BYTES];
	struct wire_request request;
	ssize_t len = recv(conn, bytes, sizeof(bytes), 0);
	long sent;
	int fd;

	if (len <= 0 || wire_decode_request(bytes, (size_t)len, &request) < 0)
		return false;
	fd = socket(request.domain, request.type | SOCK_CLOEXEC, request.protocol);
	if (fd < 0)
		return false;
	sent = send_reply(conn, fd);
	close(fd);
	return sent > 0;
}

static void answer_in_child(int listener, int conn)
{
	if (fork() == 0) {
		close(listener);
		while (answer(conn))
			;
		_exit(0);
	}
}

int main(int argc, char **argv)
{
	const bool forks = argc == 3 && strcmp(argv[2], "fork") == 0;
	int listener;

	if (argc != 2 && !forks)
		return fprintf(stderr, "usage: %s PATH [fork]\n", argv[0]), 2;
	listener = open_listener(argv[1]);
	for (;;) {
		int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0)
			return perror("accept4"), 1;
		if (forks)
			answer_in_child(listener, conn);
		else
			answer(conn);
		close(conn);
		while (forks && waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
