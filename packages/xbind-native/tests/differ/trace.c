/* SPDX-License-Identifier: MIT */
/* trace.c - random numbers, and the lines of the trace */
#include "differ/differ.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t state;
static char line[1 << 16];
static size_t used;

uint32_t random_next(void)
{
	uint64_t mixed = state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(mixed >> 32);
}

void random_start(uint64_t seed, uint64_t step)
{
	state = seed * UINT64_C(0x2545f4914f6cdd1d) + step;
	random_next();
}

int random_int(void)
{
	static const int edges[] = {
	    0,     1,       1,       1,   2,    3,   -1,    -2,    5,       7,       8,      16,
	    63,    64,      127,     128, 255,  256, 500,   1000,  1460,    4096,    9000,   65535,
	    65536, 1 << 17, 1 << 20, 77,  0x10, 200, 32768, 32767, 1 << 24, INT_MAX, INT_MIN};

	return one_in(10) ? (int)random_next() : ONE_OF(edges);
}

void say(const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (len < 0 || used + (size_t)len >= sizeof(line) - 1)
		abort();
	used += (size_t)len;
}

void say_bytes(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++)
		say("%02x", byte[i]);
}

void end_line(void)
{
	size_t written = 0;

	line[used++] = '\n';
	while (written < used) {
		ssize_t len = write(STDOUT_FILENO, line + written, used - written);

		if (len < 0)
			_exit(3);
		written += (size_t)len;
	}
	used = 0;
}

void before_call(void)
{
	allow_cancellation(true);
	errno = UNTOUCHED;
}

void say_result(long rc)
{
	int error = errno;

	allow_cancellation(false);
	if (rc < 0)
		say(" = -1 %s", strerror(error));
	else
		say(" = %ld%s", rc, error == UNTOUCHED ? "" : " errno!");
}

/* Signals of descriptors since the last line: which ones, but not how often. */
#define SIGNALS 16
static struct {
	int number, fd, code;
} seen[SIGNALS];
static volatile sig_atomic_t seen_count;

static void note_signal(int number, siginfo_t *info, void *context)
{
	int count = seen_count;
	int fd = info->si_code > 0 && number != SIGIO ? info->si_fd : -1;

	(void)context;
	for (int i = 0; i < count; i++) {
		if (seen[i].number == number && seen[i].fd == fd && seen[i].code == info->si_code)
			return;
	}
	if (count == SIGNALS)
		return;
	seen[count].number = number;
	seen[count].fd = fd;
	seen[count].code = info->si_code;
	seen_count = count + 1;
}

static int by_number(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(seen[0]));
}

void say_signals(void)
{
	if (seen_count == 0)
		return;
	qsort(seen, (size_t)seen_count, sizeof(seen[0]), by_number);
	for (int i = 0; i < seen_count; i++)
		say(" signal %d fd %d code %d", seen[i].number, seen[i].fd, seen[i].code);
	seen_count = 0;
}

__attribute__((constructor)) static void catch_signals(void)
{
	struct sigaction action = {.sa_sigaction = note_signal,
	                           .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGIO, &action, NULL);
	sigaction(SIGURG, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN + 3, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}
