/* SPDX-License-Identifier: MIT */
/*
 * test_throughput.c - the kernel still tunes buffers that the program has not set
 *
 * Data is sent to a listener with a default buffer, and to one whose buffer was set to that size.
 * The first buffer grows, as without the library. What that gains depends on the machine, so the
 * rates are printed and not checked.
 */
#include "support/clock.h"
#include "support/pair.h"

#include <pthread.h>

#define MEGABYTES 192
#define CHUNK     (1 << 18) /* bytes */

static char data[CHUNK];
static uint16_t port = 3300;

static void *send_all(void *argument)
{
	const uint16_t to = *(uint16_t *)argument;
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, (uint16_t)(to + 100)), 0);
	CHECK_EQ(pair_connect(fd, to), 0);
	for (size_t left = (size_t)MEGABYTES << 20; left > 0;) {
		ssize_t sent = send(fd, data, CHUNK, 0);

		CHECK(sent > 0);
		left -= left < (size_t)sent ? left : (size_t)sent;
	}
	close(fd);
	return NULL;
}

static int buffer_of(int fd)
{
	return pair_option(fd, SOL_SOCKET, SO_RCVBUF);
}

/* Return: Gbit/s; ret_buffer is the last size of the buffer. */
static double take_all(int listener, int *ret_buffer)
{
	static char taken[CHUNK];
	int conn = accept(listener, NULL, NULL);
	const long long start = clock_ms();
	double seconds;

	CHECK(conn >= 0);
	while (recv(conn, taken, CHUNK, 0) > 0)
		*ret_buffer = buffer_of(conn);
	seconds = (double)(clock_ms() - start) / 1000;
	close(conn);
	return MEGABYTES * 8.0 / 1024 / seconds;
}

static double transfer(int set_to, int *ret_buffer)
{
	int listener = pair_socket(SOCK_STREAM);
	pthread_t sender;
	double rate;

	port++;
	if (set_to)
		CHECK_EQ(pair_set(listener, SOL_SOCKET, SO_RCVBUF, set_to), 0);
	CHECK(pair_binds_there(listener, port));
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(pthread_create(&sender, NULL, send_all, &port), 0);
	rate = take_all(listener, ret_buffer);
	CHECK_EQ(pthread_join(sender, NULL), 0);
	close(listener);
	return rate;
}

static void test_autotuning(void)
{
	int fd = pair_socket(SOCK_STREAM), size = buffer_of(fd);
	int tuned = 0, fixed = 0;
	double fast = transfer(0, &tuned);
	double slow = transfer(size / 2, &fixed);

	close(fd);
	printf("as it is: %.1f Gbit/s, buffer %d; set: %.1f Gbit/s, buffer %d\n", fast, tuned, slow,
	       fixed);
	if (pair_tells_buffer_lock() || !pair_preloaded()) /* else the set size counts as not set */
		CHECK_EQ(fixed, size);
	CHECK(tuned > 2 * size);
}

int main(void)
{
	RUN(test_autotuning);
	return 0;
}
