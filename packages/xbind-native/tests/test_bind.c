/* SPDX-License-Identifier: MIT */
/* test_bind.c - bind keeps its contract, with the preload library and without */
#include "support/pair.h"

#include <fcntl.h>

static void test_bind_and_listen(void)
{
	int fd = pair_socket(SOCK_STREAM | SOCK_CLOEXEC);

	errno = 77;
	CHECK_EQ(pair_bind(fd, 3000), 0);
	CHECK_EQ(errno, 77);
	CHECK(pair_is_there(fd));
	CHECK_EQ(pair_port(fd), 3000);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(listen(fd, 5), 0);
	close(fd);
}

int main(void)
{
	RUN(test_bind_and_listen);
	return 0;
}
