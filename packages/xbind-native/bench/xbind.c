/* SPDX-License-Identifier: MIT */
/*
 * xbind.c - what the preload library costs, side by side in one process
 *
 * Runs under the library (bench/xbind.ts). "Without" is the function of libc itself, found past the
 * library. The two take turns in short rounds, and the best round of each counts: what else the
 * machine does can only add to it.
 */
#include "support/libc.h"
#include "xsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS        41
#define CALLS         2000 /* setsockopt calls in a round */
#define BINDS         100  /* binds to a port that is not listed, in a round */
#define MOVES         20   /* binds to a listed port, in a round */
#define LISTED        3000
#define NOT_LISTED    5000
#define FEW_FDS       10
#define MANY_FDS      10000
#define OPTIONS_READS 127 /* numbers of one level */

typedef int (*set_function)(int, int, int, const void *, socklen_t);
typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

static set_function libc_setsockopt;
static bind_function libc_bind;
static FILE *json;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* One comparison: the best round of each. */
struct comparison {
	double with, without; /* ns */
};

static const struct comparison nothing = {1e18, 1e18};

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void note(struct comparison *comparison, double with, double without)
{
	comparison->with = least(comparison->with, with);
	comparison->without = least(comparison->without, without);
}

static void report(const char *what, const struct comparison *comparison, const char *goal)
{
	static bool again;
	double with = comparison->with, without = comparison->without;

	printf("%-44s %9.0f %9.0f %+8.0f %6.2f   %s\n", what, without, with, with - without,
	       with / without, goal);
	fprintf(
	    json,
	    "%s\n  {\"what\": \"%s\", \"without_ns\": %.0f, \"with_ns\": %.0f, \"more_ns\": %.0f, "
	    "\"ratio\": %.3f, \"goal\": \"%s\"}",
	    again ? "," : "", what, without, with, with - without, with / without, goal);
	again = true;
}

static double time_set(set_function set, int fd, int level, int name, int value)
{
	double start = now_ns();

	for (int i = 0; i < CALLS; i++) {
		if (set(fd, level, name, &value, sizeof(value)) < 0)
			die("setsockopt");
	}
	return (now_ns() - start) / CALLS;
}

static void compare_set(const char *what, int level, int name, int value, const char *goal)
{
	struct comparison comparison = nothing;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	for (int round = 0; round < ROUNDS; round++)
		note(&comparison, time_set(setsockopt, fd, level, name, value),
		     time_set(libc_setsockopt, fd, level, name, value));
	report(what, &comparison, goal);
	close(fd);
}

static struct sockaddr_in6 address(int domain, uint16_t port)
{
	return (struct sockaddr_in6){
	    .sin6_family = (sa_family_t)domain,
	    .sin6_port = htons(port), /* sin_port is at the same place */
	};
}

static socklen_t address_len(int domain)
{
	return domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int bind_to(bind_function call, int fd, int domain, uint16_t port)
{
	struct sockaddr_in6 addr = address(domain, port);

	return call(fd, (struct sockaddr *)&addr, address_len(domain));
}

/* Only bind itself is timed, not the making and closing of the socket. */
static double time_bind(bind_function call, int domain, int type, uint16_t port, int count)
{
	double sum = 0;

	for (int i = 0; i < count; i++) {
		int fd = socket(domain, type, 0);
		double start = now_ns();

		if (bind_to(call, fd, domain, port) < 0)
			die("bind");
		sum += now_ns() - start;
		close(fd);
	}
	return sum / count;
}

static double time_xsocket(int domain, int type, int count)
{
	double sum = 0;

	for (int i = 0; i < count; i++) {
		double start = now_ns();
		int fd = xsocket(getenv("XSOCKET"), domain, type, 0);

		if (fd < 0 || bind_to(libc_bind, fd, domain, LISTED) < 0)
			die("xsocket");
		sum += now_ns() - start;
		close(fd);
	}
	return sum / count;
}

static void compare_unlisted(void)
{
	struct comparison comparison = nothing;

	for (int round = 0; round < ROUNDS; round++)
		note(&comparison, time_bind(bind, AF_INET, SOCK_STREAM, NOT_LISTED, BINDS),
		     time_bind(libc_bind, AF_INET, SOCK_STREAM, NOT_LISTED, BINDS));
	report("bind, port not listed", &comparison, "at most 1000 ns more");
}

static void compare_listed(const char *what, int domain, int type)
{
	struct comparison comparison = nothing;

	for (int round = 0; round < ROUNDS; round++)
		note(&comparison, time_bind(bind, domain, type, LISTED, MOVES),
		     time_xsocket(domain, type, MOVES));
	report(what, &comparison, "at most 3 times");
}

/* The largest part of the price: every option of the socket is read once. */
static void compare_reading(const char *what, int domain, int type)
{
	static const int levels[] = {SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP};
	struct comparison comparison = nothing;
	int fd = socket(domain, type, 0);

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns();

		for (int i = 0; i < OPTIONS_READS; i++) {
			int value;
			socklen_t len = sizeof(value);

			getsockopt(fd, levels[i % 4], 1 + i / 4, &value, &len);
		}
		note(&comparison, now_ns() - start, time_xsocket(domain, type, 1));
	}
	report(what, &comparison, "");
	close(fd);
}

static int open_fds(int count)
{
	int last = -1;

	for (int i = 0; i < count; i++) {
		last = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (last < 0)
			die("open");
	}
	return last;
}

static void compare_many_fds(void)
{
	struct comparison comparison = nothing;
	double few = 1e18;
	int last;

	open_fds(FEW_FDS);
	for (int round = 0; round < ROUNDS; round++)
		few = least(few, time_bind(bind, AF_INET, SOCK_STREAM, LISTED, MOVES));
	last = open_fds(MANY_FDS - FEW_FDS);
	for (int round = 0; round < ROUNDS; round++)
		note(&comparison, time_bind(bind, AF_INET, SOCK_STREAM, LISTED, MOVES), few);
	report("bind, port listed, 10000 descriptors, vs 10", &comparison, "at most 2 times");
	for (int fd = last - MANY_FDS + 1; fd <= last; fd++)
		close(fd);
}

static void raise_limit(void)
{
	struct rlimit limit = {MANY_FDS + 100, MANY_FDS + 100};

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("more descriptors");
}

static void compare_all(void)
{
	printf("%-44s %9s %9s %8s %6s   %s\n", "best of 41 rounds, in ns", "without", "with",
	       "more", "ratio", "goal");
	compare_set("setsockopt SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1, "at most 60 ns more");
	compare_set("setsockopt TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1, "at most 60 ns more");
	compare_set("setsockopt SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 65536, "at most 60 ns more");
	compare_set("setsockopt TCP_KEEPIDLE, not its default", IPPROTO_TCP, TCP_KEEPIDLE, 60,
	            "at most 60 ns more");
	compare_set("setsockopt TCP_KEEPIDLE, its default", IPPROTO_TCP, TCP_KEEPIDLE, 7200, "");
	compare_unlisted();
	compare_listed("bind, port listed, vs xsocket()+bind: tcp4", AF_INET, SOCK_STREAM);
	compare_listed("bind, port listed, vs xsocket()+bind: tcp6", AF_INET6, SOCK_STREAM);
	compare_listed("bind, port listed, vs xsocket()+bind: udp4", AF_INET, SOCK_DGRAM);
	compare_listed("bind, port listed, vs xsocket()+bind: udp6", AF_INET6, SOCK_DGRAM);
	compare_reading("of it 127 getsockopt calls: tcp6", AF_INET6, SOCK_STREAM);
	compare_many_fds();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return fprintf(stderr, "usage: %s JSON\n", argv[0]), 2;
	libc_setsockopt = (set_function)libc_unfollowed("setsockopt");
	libc_bind = (bind_function)libc_unfollowed("bind");
	json = fopen(argv[1], "we");
	if (!json)
		die(argv[1]);
	raise_limit();
	fprintf(json, "[");
	compare_all();
	fprintf(json, "\n]\n");
	return fclose(json) == 0 ? 0 : 1;
}
