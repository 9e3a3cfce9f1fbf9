/* SPDX-License-Identifier: MIT */
/*
 * test_lingering.c - a server that never closes its connections holds a program up once, not always
 */
#include "support/pair.h"

#include <time.h>

#define ROUNDS    20
#define LONGEST_S 5 /* each of them given the longest time would make it 20 */

static void test_lingering(void)
{
	struct timespec begun, ended;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (uint16_t round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK_EQ(pair_bind(fd, (uint16_t)(3000 + round)), 0);
		CHECK(pair_is_there(fd));
		close(fd);
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	CHECK(ended.tv_sec - begun.tv_sec < LONGEST_S);
}

int main(void)
{
	RUN(test_lingering);
	return 0;
}
