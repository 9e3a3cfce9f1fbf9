/* SPDX-License-Identifier: MIT */
#include "xbind/flight.h"

#include "core/fd.h"
#include "xbind/key.h"

#include <pthread.h>
#include <stdatomic.h>

static struct {
	_Atomic int fd; /* plus one, 0 where there is none */
	const char *thread;
	socket_key key;
} places[FLIGHT_PLACES];

/* Its address identifies the thread, also in a child. */
static __thread char own __attribute__((tls_model("initial-exec")));

int flight_add(int fd)
{
	const socket_key key = fd < 0 ? KEY_NONE : key_of(fd);

	if (key == KEY_NONE)
		return fd;
	for (int i = 0; i < FLIGHT_PLACES; i++) {
		int none = 0;

		if (!atomic_compare_exchange_strong(&places[i].fd, &none, -1))
			continue;
		places[i].thread = &own;
		places[i].key = key;
		places[i].fd = fd + 1;
		break;
	}
	return fd;
}

void flight_close(int *slot)
{
	const int fd = take_fd(slot);

	if (fd < 0)
		return;
	/* This comes first: once the descriptor is closed, its number may be reused. */
	for (int i = 0; i < FLIGHT_PLACES; i++) {
		if (places[i].fd == fd + 1 && places[i].thread == &own)
			places[i].fd = 0;
	}
	sys_close(fd);
}

/*
 * Those of the forking thread stay open: it has forked within its own swap, in a library that
 * stands in front of libc's bind, and the child may be the one to bind. The key is compared, since
 * the program may have closed a number and reused it.
 */
static void close_in_child(void)
{
	for (int i = 0; i < FLIGHT_PLACES; i++) {
		int fd = places[i].fd - 1;

		if (fd >= 0 && places[i].thread == &own)
			continue;
		if (fd >= 0 && key_of(fd) == places[i].key)
			sys_close(fd);
		places[i].fd = 0;
	}
}

void flight_load(void)
{
	pthread_atfork(NULL, NULL, close_in_child);
}
