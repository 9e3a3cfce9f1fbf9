/* SPDX-License-Identifier: MIT */
#include "xbind/moved.h"

#include <stdatomic.h>

static _Atomic socket_key moved[MOVED_SOCKETS];

void moved_note(socket_key key)
{
	atomic_store_explicit(&moved[key % MOVED_SOCKETS], key, memory_order_relaxed);
}

bool moved_is(socket_key key)
{
	return key != KEY_NONE &&
	       atomic_load_explicit(&moved[key % MOVED_SOCKETS], memory_order_relaxed) == key;
}
