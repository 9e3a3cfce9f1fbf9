/* SPDX-License-Identifier: MIT */
/* test_stalled.c - a server that was held up once is waited for again when it closes in time */
#include "support/pair.h"
#include "support/server.h"

static void bind_and_close(uint16_t port)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK(pair_binds_there(fd, port));
	close(fd);
}

/* A port that the program closes is free at once. */
static void test_stalled(void)
{
	uint16_t port = 3000;

	bind_and_close(port++); /* the server takes longer than it is given */
	while (port < 3000 + SERVER_STALLS_AGAIN)
		bind_and_close(port++); /* it is in time, if only once where the machine is busy */
	bind_and_close(port);           /* it takes a while */
	bind_and_close(port);
}

int main(void)
{
	RUN(test_stalled);
	return 0;
}
