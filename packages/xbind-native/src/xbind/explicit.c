/* SPDX-License-Identifier: MIT */
/*
 * explicit.c - two tables of atomics without a lock
 *
 * How it works: the key of a socket selects a bucket, and its bits lie in one of a few places
 * there. Places are taken in turn, so that the oldest entry is overwritten. The worst effect of a
 * race or a full table is that a socket gets the target's default instead of its own, or the other
 * way round.
 */
#include "xbind/explicit.h"

#include "xbind/defaults.h"
#include "xbind/kind.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PLACES    4 /* for each key */
#define WORD_BITS 32
#define WORDS     ((EXPLICIT_COUNT + WORD_BITS - 1) / WORD_BITS)

struct entry {
	_Atomic socket_key key;
	_Atomic uint32_t bits[WORDS];
};

static struct bucket {
	struct entry places[PLACES];
	_Atomic unsigned next; /* place */
} tables[2][EXPLICIT_SOCKETS / PLACES];

/* shutdown(2) has a table of its own: every connection that was reset may add an entry (ENOTCONN),
 * which must not push out options. */
static struct bucket *bucket_of(socket_key key, int row)
{
	return &tables[row >= OPTIONS_COUNT][key % (EXPLICIT_SOCKETS / PLACES)];
}

static struct entry *find(socket_key key, int row)
{
	struct entry *places = bucket_of(key, row)->places;

	for (int i = 0; i < PLACES; i++) {
		if (atomic_load_explicit(&places[i].key, memory_order_acquire) == key)
			return &places[i];
	}
	return NULL;
}

/* The keys do not tell which entry is the oldest: each processor takes cookies from its own range.
 */
static struct entry *take(socket_key key, int row)
{
	struct bucket *bucket = bucket_of(key, row);
	struct entry *entry = &bucket->places[atomic_fetch_add(&bucket->next, 1) % PLACES];

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
	entry = find(key, row);
	if (is_set) {
		if (!entry)
			entry = take(key, row);
		atomic_fetch_or(&entry->bits[row / WORD_BITS], bit);
	} else if (entry) {
		atomic_fetch_and(&entry->bits[row / WORD_BITS], ~bit);
	}
}

/* Defaults of options that are numbers, by row. */
static _Atomic int learnt[OPTIONS_COUNT];
static _Atomic bool is_learnt[OPTIONS_COUNT];

static bool is_known(int row)
{
	return atomic_load_explicit(&is_learnt[row], memory_order_acquire);
}

/* For longer options this is meaningless, and not used. */
static int number_of(const struct option_value *value)
{
	int number;

	memcpy(&number, value->bytes, sizeof(number));
	return number;
}

void explicit_learn(int row, const struct option_value *fresh)
{
	if (is_known(row) || fresh->error < 0)
		return;
	atomic_store_explicit(&learnt[row], number_of(fresh), memory_order_relaxed);
	atomic_store_explicit(&is_learnt[row], true, memory_order_release);
}

static bool ask(int fd, int row)
{
	struct option_value value;
	struct kind kind;

	if (kind_read(fd, &kind) != 0 || defaults_ask(&kind, &options[row], &value) < 0)
		return false;
	explicit_learn(row, &value);
	return is_known(row);
}

bool explicit_needs_note(int fd, int row, const void *value, socklen_t len)
{
	const struct option *option = &options[row];
	int number;

	/* The device can be read, but not that it was given by its index. */
	if (option->how == OPTION_INDEX || option->bytes != sizeof(number) || len < sizeof(number))
		return true;
	memcpy(&number, value, sizeof(number));
	if (option->flags & OPTION_BOOL)
		number = number != 0;
	/*
	 * A socket with a port moves only if it loses that, as by connect(2) to AF_UNSPEC, and the
	 * program may be forbidden to make another one. A value that does not read back as given
	 * has reset the option to its default.
	 */
	if (!is_known(row) && !kind_is_unbound(fd))
		return option_number(fd, option->level, option->name) == number;
	if (!is_known(row) && !ask(fd, row))
		return true;
	return number == atomic_load_explicit(&learnt[row], memory_order_relaxed);
}

bool explicit_is_set(socket_key key, int row)
{
	struct entry *entry = find(key, row);

	return entry && atomic_load(&entry->bits[row / WORD_BITS]) & UINT32_C(1) << row % WORD_BITS;
}

bool explicit_is_unsure(int row, const struct option_value *fresh)
{
	return options[row].flags & OPTION_BOOL &&
	       number_of(fresh) != atomic_load_explicit(&learnt[row], memory_order_relaxed);
}
