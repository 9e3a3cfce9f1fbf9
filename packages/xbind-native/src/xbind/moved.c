/* SPDX-License-Identifier: MIT */
#include "xbind/moved.h"

#include <stdatomic.h>

static struct {
	_Atomic socket_key key;
	_Atomic unsigned number; /* of its note */
} moved[MOVED_SOCKETS];
static _Atomic unsigned count;

void moved_note(socket_key key)
{
	const unsigned number = atomic_fetch_add(&count, 1) + 1;

	atomic_store_explicit(&moved[key % MOVED_SOCKETS].number, number, memory_order_relaxed);
	atomic_store_explicit(&moved[key % MOVED_SOCKETS].key, key, memory_order_release);
}

bool moved_is(socket_key key)
{
	return key != KEY_NONE &&
	       atomic_load_explicit(&moved[key % MOVED_SOCKETS].key, memory_order_acquire) == key;
}

unsigned moved_count(void)
{
	return atomic_load(&count);
}

bool moved_since(socket_key key, unsigned before)
{
	if (!moved_is(key))
		return false;
	return (int)(atomic_load(&moved[key % MOVED_SOCKETS].number) - before) > 0;
}
