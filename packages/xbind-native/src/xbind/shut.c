/* SPDX-License-Identifier: MIT */
#include "xbind/shut.h"

#include <stdatomic.h>
#include <stddef.h>

/* Each is a key shifted left by one; the lowest bit says whether it is shut for reading, too. */
static _Atomic socket_key shut[SHUT_SOCKETS];
static _Atomic unsigned next;

static socket_key entry(socket_key key, bool reading)
{
	return key << 1 | reading;
}

static _Atomic socket_key *find(socket_key key)
{
	for (size_t i = 0; i < SHUT_SOCKETS; i++) {
		const socket_key found = atomic_load_explicit(&shut[i], memory_order_relaxed);

		if ((found | 1) == entry(key, true))
			return &shut[i];
	}
	return NULL;
}

void shut_note(socket_key key, bool reading)
{
	_Atomic socket_key *at = find(key);

	if (key == KEY_NONE)
		return;
	if (!at)
		at = &shut[atomic_fetch_add(&next, 1) % SHUT_SOCKETS];
	atomic_store_explicit(at, entry(key, reading), memory_order_relaxed);
}

bool shut_is(socket_key key, bool reading)
{
	const _Atomic socket_key *at = key == KEY_NONE ? NULL : find(key);

	return at &&
	       (reading || atomic_load_explicit(at, memory_order_relaxed) == entry(key, false));
}
