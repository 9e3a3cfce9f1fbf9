/* SPDX-License-Identifier: MIT */
/*
 * main.c - run sequences without the library and with it, and compare the traces
 *
 * usage: differ                      one seed after another, until time is up
 *        differ trace SEED DROPPED   one trace; DROPPED has a character for each step, 1 to drop it
 *
 * step_process.c adds two arguments when a trace continues after exec: its state, and the process
 * to wait for.
 *
 * It is preloaded itself, and runs each trace without LD_PRELOAD and with it. Traces that differ
 * are made as short as possible and printed. In the environment:
 *
 *   DIFFER_SEED     the first seed, by default 1
 *   DIFFER_COUNT    the greatest number of seeds
 *   DIFFER_SECONDS  how long to run
 *   DIFFER_AWAY     the server is in another namespace
 *   DIFFER_THERE    sysctls differ there; without the library all sockets are there, too
 */
#include "differ/differ.h"
#include "support/pair.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACE_BYTES     (1 << 20)
#define STEADY_TIMES    3
#define SEEDS_PUBLISHED 900 /* seeds until their ports are reused */

/* Is every port of the seed published as another one? */
static bool seed_publishes(uint64_t seed)
{
	return seed % 8 == 5;
}

static unsigned first_published(uint64_t seed)
{
	return (unsigned)(PUBLISHED_PORT + seed / 8 % SEEDS_PUBLISHED * PORTS);
}

static void list_published(uint64_t seed, char *list)
{
	list += sprintf(list, "*");
	for (unsigned i = 0; i < PORTS; i++)
		list += sprintf(list, ",%u:%u", first_published(seed) + i, first_port(seed) + i);
}

/*
 * XBIND: all ports, or some. With the server in another namespace, port 0 is never one of some: a
 * socket that moved for it and is then bound to an unlisted port stays there, where the port is
 * free, even if it is in use at home.
 */
static void set_list(uint64_t seed)
{
	const char *zero = getenv("DIFFER_AWAY") ? "" : ",0";
	unsigned first = first_port(seed);
	char list[256] = "*";

	if (seed_publishes(seed))
		list_published(seed, list);
	if (seed_is_partial(seed) && seed % 4 == 2)
		snprintf(list, sizeof(list), "%u-%u", first, first + PORTS / 2);
	if (seed_is_partial(seed) && seed % 4 == 3)
		snprintf(list, sizeof(list), "tcp/%u-%u,udp/%u%s", first, first + PORTS, first + 1,
		         zero);
	if (seed_is_partial(seed) && getenv("DIFFER_AWAY"))
		setenv("DIFFER_APART", "1", 1);
	setenv("XBIND", list, 1);
}

/* Enters the server's namespace, where the sockets are that the library moves. */
static void go_there(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), there;

	if (pair_bind_any(fd, AF_INET, 0) < 0)
		_exit(7);
	there = ioctl(fd, SIOCGSKNS);
	if (there < 0 || setns(there, CLONE_NEWNET) < 0)
		_exit(7);
	close(there);
	close(fd);
}

static _Noreturn void become(uint64_t seed, const char *dropped, bool preloaded)
{
	char number[32];

	if (!preloaded && getenv("DIFFER_THERE"))
		go_there();
	set_list(seed);
	snprintf(number, sizeof(number), "%u", first_published(seed));
	if (!preloaded)
		unsetenv("LD_PRELOAD");
	else if (seed_publishes(seed))
		setenv("DIFFER_PUBLISHED", number, 1);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)seed);
	execl("/proc/self/exe", "differ", "trace", number, dropped, (char *)NULL);
	_exit(127);
}

/* Return: the trace, with a line about its end. The caller frees it. */
static char *run(uint64_t seed, const char *dropped, bool preloaded)
{
	char *text = malloc(TRACE_BYTES);
	size_t len = 0;
	int ends[2], status = 0;
	ssize_t got;
	pid_t child;

	if (!text || pipe2(ends, O_CLOEXEC) < 0)
		exit(2);
	child = fork();
	if (child == 0) {
		alarm(LONGEST_SECONDS);
		dup2(ends[1], STDOUT_FILENO);
		become(seed, dropped, preloaded);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + len, TRACE_BYTES - len - 64)) > 0)
		len += (size_t)got;
	close(ends[0]);
	waitpid(child, &status, 0);
	snprintf(text + len, 64, "status %d\n", status);
	return text;
}

/* Do two traces differ: without the library and with it if preloaded, else both without? */
static bool differs(uint64_t seed, const char *dropped, bool preloaded)
{
	char *first = run(seed, dropped, false), *second = run(seed, dropped, preloaded);
	bool result = strcmp(first, second) != 0;

	free(first);
	free(second);
	return result;
}

/* Is the difference there each time, and never between two runs without the library? */
static bool is_steady(uint64_t seed, const char *dropped)
{
	for (int i = 0; i < STEADY_TIMES; i++) {
		if (!differs(seed, dropped, true) || differs(seed, dropped, false))
			return false;
	}
	return true;
}

/* Drops each step without which the traces still differ. */
static void minimise(uint64_t seed, char *dropped)
{
	bool again = true;

	while (again) {
		again = false;
		for (int i = STEPS_MAX - 1; i >= 0; i--) {
			if (dropped[i] == '1')
				continue;
			dropped[i] = '1';
			if (differs(seed, dropped, true) && differs(seed, dropped, true))
				again = true;
			else
				dropped[i] = '0';
		}
	}
}

/* Return: whether they really differ, since now and then a busy machine makes a difference.
 * Modifies both traces. */
static bool report(uint64_t seed, char *traces[2])
{
	char dropped[STEPS_MAX + 1];
	char *plain, *preloaded;
	bool still;

	memset(dropped, '0', STEPS_MAX);
	dropped[STEPS_MAX] = '\0';
	if (!is_steady(seed, dropped)) {
		printf("unsteady: %llu\n", (unsigned long long)seed);
		show_difference(traces[0], traces[1], false);
		return false;
	}
	minimise(seed, dropped);
	plain = run(seed, dropped, false);
	preloaded = run(seed, dropped, true);
	still = strcmp(plain, preloaded) != 0;
	printf("%s %llu:\n", still ? "differs" : "unsteady", (unsigned long long)seed);
	show_difference(plain, preloaded, true);
	free(plain);
	free(preloaded);
	fflush(stdout);
	return still;
}

static long number_of(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

int main(int argc, char **argv)
{
	char none[STEPS_MAX + 1] = "";
	long count = number_of("DIFFER_COUNT", 1 << 30), seconds = number_of("DIFFER_SECONDS", 3);
	uint64_t first = (uint64_t)number_of("DIFFER_SEED", 1);
	time_t end = time(NULL) + seconds;
	int differing = 0;
	long done = 0;

	if (argc == 6 && atoi(argv[5]) >= 0)
		wait_for_parent(atoi(argv[5]));
	if (argc >= 4)
		return sequence_run(strtoull(argv[2], NULL, 10), argv[3],
		                    argc == 6 ? argv[4] : NULL);
	if (argc != 1 || !getenv("LD_PRELOAD"))
		return 2;
	memset(none, '0', STEPS_MAX);
	printf("seed %llu\n", (unsigned long long)first);
	for (; done < count && time(NULL) < end; done++) {
		uint64_t seed = first + (uint64_t)done;
		char *traces[2] = {run(seed, none, false), run(seed, none, true)};

		if (strcmp(traces[0], traces[1]) != 0)
			differing += report(seed, traces);
		free(traces[0]);
		free(traces[1]);
	}
	printf("%ld seeds, %d differ\n", done, differing);
	return differing ? 1 : 0;
}
