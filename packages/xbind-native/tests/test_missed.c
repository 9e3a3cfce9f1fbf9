/* SPDX-License-Identifier: MIT */
/*
 * test_missed.c - a server that sees the end of its client and not the request before it
 *
 * The kernel tells so a server that reads while both come.
 */
#include "support/pair.h"

static void test_missed(void)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

	for (uint16_t i = 0; i < 2; i++) {
		int fd = pair_socket(types[i]);

		errno = 0;
		CHECK_EQ(pair_bind(fd, 3000), 0);
		CHECK_EQ(errno, 0);
		CHECK(pair_is_there(fd));
		CHECK_EQ(pair_port(fd), 3000);
		close(fd);
	}
}

int main(void)
{
	RUN(test_missed);
	return 0;
}
