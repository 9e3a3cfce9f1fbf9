/* SPDX-License-Identifier: MIT */
/* test_stalled.c - after one delay the library waits for the server again once it closes in time */
#include "support/pair.h"
#include "support/server.h"

static void bind_and_close(uint16_t port)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK(pair_binds_there(fd, port));
	close(fd);
}

/* A closed port is free at once. */
static void test_stalled(void)
{
	uint16_t port = 3000;

	bind_and_close(port++); /* the server takes too long */
	while (port < 3000 + SERVER_STALLS_AGAIN)
		bind_and_close(port++); /* the server is in time, at least once on a busy machine */
	bind_and_close(port);           /* the server takes a little longer */
	bind_and_close(port);
}

int main(void)
{
	RUN(test_stalled);
	return 0;
}
