/* SPDX-License-Identifier: MIT */
/* test_stalled.c - a server that was held up once is waited for again when it closes in time */
#include "support/pair.h"

static void bind_and_close(uint16_t port)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, port), 0);
	CHECK(pair_is_there(fd));
	close(fd);
}

/* A port that the program closes is free at once. */
static void test_stalled(void)
{
	bind_and_close(3000); /* the server takes longer than it is given */
	bind_and_close(3001); /* it is in time */
	bind_and_close(3002); /* it takes a while */
	bind_and_close(3002);
}

int main(void)
{
	RUN(test_stalled);
	return 0;
}
