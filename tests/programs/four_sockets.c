/* SPDX-License-Identifier: MIT */
/*
 * A user's program: asks the server at argv[1] for four kinds of socket and prints, for each, the
 * cookie of the network namespace that it belongs to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xsocket.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static const struct {
	int domain;
	int type;
	const char *name;
} KINDS[] = {
    {AF_INET, SOCK_STREAM, "tcp4"},
    {AF_INET6, SOCK_STREAM, "tcp6"},
    {AF_INET, SOCK_DGRAM, "udp4"},
    {AF_INET6, SOCK_DGRAM, "udp6"},
};

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: four_sockets PATH\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		int fd = xsocket(argv[1], KINDS[i].domain, KINDS[i].type, 0);
		uint64_t cookie = 0;
		socklen_t len = sizeof(cookie);

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0) {
			fprintf(stderr, "%s: %s\n", KINDS[i].name, strerror(errno));
			return 1;
		}
		printf("%s %" PRIu64 "\n", KINDS[i].name, cookie);
		close(fd);
	}
	return 0;
}
