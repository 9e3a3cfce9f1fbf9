/* SPDX-License-Identifier: MIT */
#include "xbind/moved.h"

#include <stdatomic.h>

static _Atomic socket_key moved[MOVED_SOCKETS];

static struct {
	_Atomic int fd;
	_Atomic unsigned note; /* the last one of it */
} numbers[MOVED_NUMBERS];
static _Atomic unsigned count;

void moved_note(socket_key key, int fd)
{
	const unsigned note = atomic_fetch_add(&count, 1) + 1;

	atomic_store_explicit(&moved[key % MOVED_SOCKETS], key, memory_order_relaxed);
	atomic_store(&numbers[(unsigned)fd % MOVED_NUMBERS].note, note);
	atomic_store(&numbers[(unsigned)fd % MOVED_NUMBERS].fd, fd);
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

bool moved_since(int fd, unsigned before)
{
	if (atomic_load(&numbers[(unsigned)fd % MOVED_NUMBERS].fd) != fd)
		return false;
	return (int)(atomic_load(&numbers[(unsigned)fd % MOVED_NUMBERS].note) - before) > 0;
}
