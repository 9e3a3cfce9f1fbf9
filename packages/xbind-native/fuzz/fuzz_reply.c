/* SPDX-License-Identifier: MIT */
/*
 * fuzz_reply.c - any packet, with any descriptors, as the server's reply
 *
 * The first byte says how many descriptors are attached, the second of which kinds, the rest is the
 * packet. Whatever comes, handover_receive() gives a socket or an error and leaks no descriptor,
 * and a good reply on the next connection is taken.
 */
#include "core/handover.h"
#include "support/pass.h"
#include "support/wire_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PACKET_BYTES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct wire_request request = {AF_INET, SOCK_STREAM, 0};

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s (errno %d)\n", what, errno);
	abort();
}

static int bound_socket(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	require(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0, "bind");
	return fd;
}

/* 0 is what was asked for, the others are not. */
static int make_fd(unsigned kind)
{
	switch (kind) {
	case 0:
		return socket(AF_INET, SOCK_STREAM, 0);
	case 1:
		return socket(AF_INET, SOCK_DGRAM, 0);
	case 2:
		return bound_socket();
	default:
		return eventfd(0, 0);
	}
}

static void send_packet(int fd, const uint8_t *bytes, size_t len, const int *fds, size_t count)
{
	require(pass_send(fd, bytes, len, fds, count) == (ssize_t)len, "sendmsg");
}

/* Return: what handover_receive() makes of the packet; a socket is closed again. */
static int receive(const uint8_t *bytes, size_t len, const int *fds, size_t count, bool more)
{
	struct deadline now = deadline_in(0);
	int pair[2];
	int fd;

	require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	send_packet(pair[0], bytes, len, fds, count);
	if (more)
		send_packet(pair[0], bytes, len, fds, count);
	fd = handover_receive(pair[1], &request, true, &now);
	require(fd < 0 || fcntl(fd, F_GETFD) == FD_CLOEXEC, "the socket is close-on-exec");
	if (fd >= 0)
		close(fd);
	close(pair[0]);
	close(pair[1]);
	return fd < 0 ? fd : 0;
}

static int lowest_free_fd(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t good[WIRE_RESPONSE_BYTES];
	int before = lowest_free_fd();
	int fds[PASS_MAX];
	size_t count;
	int rc;

	if (len < 2 || len > PACKET_BYTES_MAX)
		return 0;
	count = data[0] % (PASS_MAX + 1);
	for (size_t i = 0; i < count; i++)
		fds[i] = make_fd(data[1] >> 2 * i & 3);
	rc = receive(data + 2, len - 2, fds, count, data[0] & 0x80);
	wire_encode_response(0, good);
	require((rc == 0) == (count == 1 && (data[1] & 3) == 0 && len == 2 + sizeof(good) &&
	                      memcmp(data + 2, good, sizeof(good)) == 0),
	        "exactly the right reply gives a socket");
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	fds[0] = make_fd(0);
	require(receive(good, sizeof(good), fds, 1, false) == 0, "a good reply is taken");
	close(fds[0]);
	require(lowest_free_fd() == before, "no descriptor is left behind");
	return 0;
}
