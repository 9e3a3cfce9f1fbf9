/* SPDX-License-Identifier: MIT */
/*
 * options_grown.c - receive buffers that SO_RCVLOWAT has enlarged and that may still grow
 *
 * The target's default size is the larger one (tests/CMakeLists.txt), and no size is set.
 */
#include "support/pair.h"

#define OWN    65536  /* default of the program's own namespace, in bytes */
#define TARGET 131072 /* default of the target namespace, in bytes */

static int size_after(int mark, int size, int lock)
{
	int fd = pair_socket(SOCK_STREAM), is;

	if (size != 0) {
		CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_RCVBUF, size), 0);
		CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_BUF_LOCK_, lock), 0);
	}
	if (mark != 0)
		CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_RCVLOWAT, mark), 0);
	CHECK_EQ(pair_bind(fd, 3000), 0);
	CHECK_EQ(pair_option(fd, SOL_SOCKET, SO_BUF_LOCK_), lock);
	is = pair_option(fd, SOL_SOCKET, SO_RCVBUF);
	close(fd);
	return is;
}

static void test_grown(void)
{
	const int normal = pair_preloaded() ? TARGET : OWN;

	CHECK_EQ(size_after(0, 0, 0), normal);
	CHECK(size_after(50000, 0, 0) >= normal);
	CHECK(size_after(200000, 0, 0) > TARGET);
}

/* A size that was set is kept, whether or not the buffer may grow. */
static void test_set(void)
{
	CHECK_EQ(size_after(0, 40000, 0), 80000);
	CHECK_EQ(size_after(0, 100000, 0), 200000);
	CHECK_EQ(size_after(0, 40000, 2), 80000);
	CHECK_EQ(size_after(20000, 40000, 2), 80000);
}

/* The low-water mark concerns the receive buffer, not the send buffer. */
static void test_send(void)
{
	static const int calls[][2] = {{SO_SNDBUF, 5000}, {SO_BUF_LOCK_, 0}, {SO_RCVLOWAT, 20000}};
	int fd = pair_socket(SOCK_STREAM);

	for (size_t i = 0; i < COUNT(calls); i++)
		CHECK_EQ(pair_set(fd, SOL_SOCKET, calls[i][0], calls[i][1]), 0);
	CHECK_EQ(pair_bind(fd, 3000), 0);
	CHECK_EQ(pair_option(fd, SOL_SOCKET, SO_SNDBUF), 10000);
	close(fd);
}

int main(void)
{
	if (!pair_tells_buffer_lock())
		test_skip("this kernel does not tell of a buffer that it is locked");
	RUN(test_grown);
	RUN(test_set);
	RUN(test_send);
	return 0;
}
