/* SPDX-License-Identifier: MIT */
/*
 * load.c - asks a server for sockets from several threads, and tells how fast it was
 *
 * How it works: every caller asks as fast as it is answered, for a fixed time. "call" makes a
 * connection for each socket, as xsocket() does; "kept" keeps one open for each caller. The time
 * of each request is kept, so the percentiles are exact.
 */
#include "xsocket.h"
#include "xsocket/private.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CALLERS_MAX 256
#define SAMPLES_MAX (1 << 21) /* of each caller */
#define WAIT_MS     15000     /* milliseconds; a virtual machine may stand still for some seconds */

struct caller {
	pthread_t thread;
	uint32_t *samples; /* nanoseconds */
	size_t count;
	size_t failed;
};

static const char *path;
static bool kept;
static atomic_bool over;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One socket, over conn if that is kept. Return: it, or -errno. */
static int ask(int conn)
{
	int rc;

	if (!kept) {
		rc = xsocket(path, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		return rc < 0 ? -errno : rc;
	}
	rc = xs1_handover_send(conn, AF_INET, SOCK_STREAM, 0);
	if (rc < 0)
		return rc;
	return xs1_handover_receive(conn, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, WAIT_MS);
}

/* Says why the first of a caller's requests to fail did so, and after how long. */
static void say_failed(const struct caller *caller, int error, uint64_t start)
{
	if (caller->failed == 0)
		fprintf(stderr, "request %zu of a caller: %s, after %.3f s\n", caller->count + 1,
		        strerror(error), (double)(now_ns() - start) / 1e9);
}

static void *call(void *argument)
{
	struct caller *caller = argument;
	int conn = kept ? xs1_handover_connect(path, WAIT_MS) : -1;

	while (!atomic_load_explicit(&over, memory_order_relaxed) && caller->count < SAMPLES_MAX) {
		uint64_t start = now_ns();
		int fd = ask(conn);

		if (fd < 0) {
			say_failed(caller, -fd, start);
			caller->failed++;
			usleep(100);
			continue;
		}
		caller->samples[caller->count++] = (uint32_t)(now_ns() - start);
		close(fd);
	}
	if (conn >= 0)
		close(conn);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile(const uint32_t *sorted, size_t count, double part)
{
	return count ? sorted[(size_t)((double)(count - 1) * part)] / 1e3 : 0;
}

static void report(struct caller *callers, int number, double seconds)
{
	size_t count = 0;
	size_t failed = 0;
	uint32_t *all;

	for (int i = 0; i < number; i++) {
		count += callers[i].count;
		failed += callers[i].failed;
	}
	all = malloc((count + 1) * sizeof(*all));
	if (!all)
		exit(1);
	count = 0;
	for (int i = 0; i < number; i++) {
		memcpy(all + count, callers[i].samples, callers[i].count * sizeof(*all));
		count += callers[i].count;
	}
	qsort(all, count, sizeof(*all), compare);
	printf("{\"requests\":%zu,\"failed\":%zu,\"perSecond\":%.1f,\"p50\":%.1f,\"p99\":%.1f,"
	       "\"p999\":%.1f}\n",
	       count, failed, (double)count / seconds, percentile(all, count, 0.5),
	       percentile(all, count, 0.99), percentile(all, count, 0.999));
	free(all);
}

static int run(int number, double seconds)
{
	static struct caller callers[CALLERS_MAX];
	uint64_t start = now_ns();

	for (int i = 0; i < number; i++) {
		callers[i].samples = malloc(SAMPLES_MAX * sizeof(uint32_t));
		if (!callers[i].samples ||
		    pthread_create(&callers[i].thread, NULL, call, &callers[i]) != 0)
			return 1;
	}
	usleep((useconds_t)(seconds * 1e6));
	atomic_store(&over, true);
	for (int i = 0; i < number; i++)
		pthread_join(callers[i].thread, NULL);
	report(callers, number, (double)(now_ns() - start) / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	int number = argc == 5 ? atoi(argv[3]) : 0;

	if (number < 1 || number > CALLERS_MAX) {
		fprintf(stderr, "usage: %s PATH call|kept CALLERS SECONDS\n", argv[0]);
		return 2;
	}
	path = argv[1];
	kept = strcmp(argv[2], "kept") == 0;
	return run(number, atof(argv[4]));
}
