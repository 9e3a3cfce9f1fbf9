/* SPDX-License-Identifier: MIT */
/*
 * test_server.c - bind while the server is down, silent or sends malformed replies
 *
 * EXPECTED_ERRNO is what bind must set. Afterwards the program's socket is unchanged, and binds to
 * a port that is not listed. Port 3000 is listed.
 */
#include "support/clock.h"
#include "support/pair.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LONGEST_MS 4500 /* milliseconds; less than the default of XSOCKET_TIMEOUT_MS */
#define WAITING_MS 100  /* milliseconds; by then a bind waits for the server */

static ino_t inode_of(int fd)
{
	struct stat status;

	CHECK_EQ(fstat(fd, &status), 0);
	return status.st_ino;
}

static void try(int type)
{
	const int expected = atoi(getenv("EXPECTED_ERRNO"));
	int fd = pair_socket(type), ttl = 44;
	ino_t before = inode_of(fd);
	long long start;

	CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_TTL, ttl), 0);
	start = clock_ms();
	CHECK_FAILS(pair_bind(fd, 3000), expected);
	CHECK(clock_ms() - start < LONGEST_MS);
	CHECK_EQ(inode_of(fd), before);
	CHECK_EQ(pair_port(fd), 0);
	CHECK_EQ(pair_bind(fd, NOT_LISTED), 0);
	CHECK_EQ(inode_of(fd), before);
	CHECK_EQ(pair_option(fd, IPPROTO_IP, IP_TTL), ttl);
	close(fd);
}

static void test_bind_fails(void)
{
	try(SOCK_STREAM);
	try(SOCK_DGRAM | SOCK_NONBLOCK);
}

/* An address that the kernel refuses is refused whatever the server does. */
static void test_short_address(void)
{
	const struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(3000)};
	int fd = pair_socket(SOCK_STREAM);

	CHECK_FAILS(bind(fd, (const struct sockaddr *)&addr, sizeof(addr) - 1), EINVAL);
	close(fd);
}

/* Signals wait until bind returns, except one that ends a program without a handler. */
static void test_ended(void)
{
	const char *jail = getenv("ENDED_IN");
	long long start;
	int status, ends[2];
	char begun;
	pid_t child;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(write(ends[1], "", 1), 1);
		if (jail)
			CHECK_EQ(chroot(jail), 0);
		_exit(pair_bind(pair_socket(SOCK_STREAM), 3000) == 0);
	}
	CHECK_EQ(read(ends[0], &begun, 1), 1);
	poll(NULL, 0, WAITING_MS);
	start = clock_ms();
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	CHECK(clock_ms() - start < LONGEST_MS);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	if (getenv("ENDED")) {
		RUN(test_ended);
		return 0;
	}
	RUN(test_bind_fails);
	RUN(test_short_address);
	return 0;
}
