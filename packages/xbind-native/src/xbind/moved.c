/* SPDX-License-Identifier: MIT */
#include "xbind/moved.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic socket_key moved[MOVED_SOCKETS];
static _Atomic unsigned next;

static struct {
	_Atomic int fd;
	_Atomic unsigned note; /* number of its last note */
} numbers[MOVED_NUMBERS];
static _Atomic unsigned count;

bool moved_is(socket_key key)
{
	for (size_t i = 0; key != KEY_NONE && i < MOVED_SOCKETS; i++) {
		if (atomic_load_explicit(&moved[i], memory_order_relaxed) == key)
			return true;
	}
	return false;
}

void moved_note(socket_key key, int fd)
{
	const unsigned note = atomic_fetch_add(&count, 1) + 1;

	if (!moved_is(key)) /* by another number */
		atomic_store_explicit(&moved[atomic_fetch_add(&next, 1) % MOVED_SOCKETS], key,
		                      memory_order_relaxed);
	atomic_store(&numbers[(unsigned)fd % MOVED_NUMBERS].note, note);
	atomic_store(&numbers[(unsigned)fd % MOVED_NUMBERS].fd, fd);
}

unsigned moved_count(void)
{
	return atomic_load(&count);
}

bool moved_since(int fd, unsigned before)
{
	unsigned later;

	if (atomic_load(&numbers[(unsigned)fd % MOVED_NUMBERS].fd) != fd)
		return false;
	later = atomic_load(&numbers[(unsigned)fd % MOVED_NUMBERS].note) - before;
	return later - 1 < moved_count() - before; /* not by its sign: the note may be very old */
}
