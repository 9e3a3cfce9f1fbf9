/* SPDX-License-Identifier: MIT */
#include "xbind/shut.h"

#include <stdatomic.h>

/* The key's lowest bit is used up by what else was known of the socket. */
static _Atomic socket_key shut[SHUT_SOCKETS];

static socket_key entry(socket_key key, bool reading)
{
	return key << 1 | reading;
}

static socket_key of(socket_key key)
{
	return atomic_load_explicit(&shut[key % SHUT_SOCKETS], memory_order_relaxed);
}

void shut_note(socket_key key, bool reading)
{
	atomic_store_explicit(&shut[key % SHUT_SOCKETS], entry(key, reading), memory_order_relaxed);
}

bool shut_is(socket_key key, bool reading)
{
	if (key == KEY_NONE)
		return false;
	return of(key) == entry(key, false) || (reading && of(key) == entry(key, true));
}
