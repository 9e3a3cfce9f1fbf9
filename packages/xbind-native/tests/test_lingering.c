/* SPDX-License-Identifier: MIT */
/* test_lingering.c - a server that never closes its connections delays a program once, not
 * always */
#include "support/child.h"
#include "support/clock.h"
#include "support/pair.h"

#define ROUNDS       20
#define IMPATIENT_MS 990 /* less than the time that a server is given by default */
#define TRIES        10
#define LONGEST_MS   10000 /* milliseconds; with the full delay each time it would take 20 s */

static void test_lingering(void)
{
	const long long begun = clock_ms();

	for (uint16_t round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK(pair_binds_there(fd, (uint16_t)(3000 + round)));
		close(fd);
	}
	CHECK(clock_ms() - begun < LONGEST_MS);
}

/* Only the first bind of a process waits long. */
static bool is_impatient(uint16_t port)
{
	const pid_t child = child_start();
	int status;

	if (child == 0) {
		const int fd = pair_socket(SOCK_STREAM);
		const long long begun = clock_ms();
		long long taken;

		CHECK_EQ(pair_bind(fd, port), 0);
		taken = clock_ms() - begun;
		CHECK(pair_is_there(fd));
		_exit(taken >= IMPATIENT_MS);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return status == 0;
}

/* The delay is not longer than XSOCKET_TIMEOUT_MS either: other load can only make it longer. */
static void test_impatient(void)
{
	int tries = 1;

	while (!is_impatient((uint16_t)(3000 + tries)) && tries < TRIES)
		tries++;
	CHECK(tries < TRIES);
}

int main(void)
{
	if (getenv("XSOCKET_TIMEOUT_MS")) {
		RUN(test_impatient);
		return 0;
	}
	RUN(test_lingering);
	return 0;
}
