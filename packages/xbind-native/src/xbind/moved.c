/* SPDX-License-Identifier: MIT */
#include "xbind/moved.h"

#include <stdatomic.h>

static _Atomic socket_key moved[MOVED_SOCKETS];
static _Atomic unsigned count;

void moved_note(socket_key key)
{
	atomic_store_explicit(&moved[key % MOVED_SOCKETS], key, memory_order_relaxed);
	atomic_fetch_add(&count, 1);
}

bool moved_is(socket_key key)
{
	return key != KEY_NONE &&
	       atomic_load_explicit(&moved[key % MOVED_SOCKETS], memory_order_relaxed) == key;
}

unsigned moved_count(void)
{
	return atomic_load(&count);
}
