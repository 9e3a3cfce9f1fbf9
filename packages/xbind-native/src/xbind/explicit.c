/* SPDX-License-Identifier: MIT */
/*
 * explicit.c - a table of atomics without a lock
 *
 * How it works: a socket's bits lie in one of a few places that its key leads to. When all of them
 * are taken, one is overwritten. The worst that a race or a full table can bring about is that a
 * socket has the target's default where it was to have its own, or the other way round.
 */
#include "xbind/explicit.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PLACES    4 /* for each key */
#define WORD_BITS 32
#define WORDS     ((OPTIONS_COUNT + WORD_BITS - 1) / WORD_BITS)

struct entry {
	_Atomic socket_key key;
	_Atomic uint32_t bits[WORDS];
};

static struct entry table[EXPLICIT_SOCKETS / PLACES][PLACES];
static _Atomic unsigned victim;

static struct entry *find(socket_key key)
{
	struct entry *bucket = table[key % (EXPLICIT_SOCKETS / PLACES)];

	for (int i = 0; i < PLACES; i++) {
		if (atomic_load_explicit(&bucket[i].key, memory_order_acquire) == key)
			return &bucket[i];
	}
	return NULL;
}

static struct entry *take(socket_key key)
{
	struct entry *bucket = table[key % (EXPLICIT_SOCKETS / PLACES)];
	struct entry *entry;

	for (int i = 0; i < PLACES; i++) {
		socket_key none = KEY_NONE;

		if (atomic_compare_exchange_strong(&bucket[i].key, &none, key))
			return &bucket[i];
	}
	entry = &bucket[atomic_fetch_add(&victim, 1) % PLACES];
	for (int i = 0; i < WORDS; i++)
		atomic_store(&entry->bits[i], 0);
	atomic_store(&entry->key, key);
	return entry;
}

void explicit_note(socket_key key, int row, bool is_set)
{
	const uint32_t bit = UINT32_C(1) << row % WORD_BITS;
	struct entry *entry;

	if (key == KEY_NONE)
		return;
	entry = find(key);
	if (is_set) {
		if (!entry)
			entry = take(key);
		atomic_fetch_or(&entry->bits[row / WORD_BITS], bit);
	} else if (entry) {
		atomic_fetch_and(&entry->bits[row / WORD_BITS], ~bit);
	}
}

bool explicit_is_set(socket_key key, int row)
{
	struct entry *entry = key == KEY_NONE ? NULL : find(key);

	return entry && atomic_load(&entry->bits[row / WORD_BITS]) & UINT32_C(1) << row % WORD_BITS;
}
