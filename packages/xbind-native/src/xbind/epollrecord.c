/* SPDX-License-Identifier: MIT */
/*
 * epollrecord.c - a table of atomics without a lock
 *
 * A record is EMPTY while it is written. Two threads that write the same record at the same time
 * may leave a mixture; they have then also raced in the kernel, on the same registration.
 */
#include "xbind/epollrecord.h"

#include "core/sys.h"
#include "xbind/fdtable.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>

/* Halves of data, since not every 32-bit processor has 64-bit atomics. */
struct record {
	_Atomic uint32_t set; /* number + 1; 0 while EMPTY */
	_Atomic uint32_t fd;
	_Atomic uint32_t events;
	_Atomic uint32_t data_low;
	_Atomic uint32_t data_high;
	_Atomic socket_key key; /* of the socket while PARKED, else KEY_NONE */
};

/* In the order in which records are overwritten. */
enum state {
	EMPTY,
	NOTED,
	PARKED,
};

static struct record records[EPOLLRECORD_FDS][EPOLLRECORD_SETS];
static _Atomic uint32_t any_parked; /* at any time */

/* Release order is enough here, and a sequentially consistent store costs a fence. */
static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

static void store(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

static enum state state_of(const struct record *record)
{
	if (load(&record->set) == 0)
		return EMPTY;
	return record->key == KEY_NONE ? NOTED : PARKED;
}

static void make_empty(struct record *record)
{
	store(&record->set, 0);
	atomic_store_explicit(&record->key, KEY_NONE, memory_order_release);
}

static struct record *bucket_of(int fd)
{
	return records[(unsigned)fd % EPOLLRECORD_FDS];
}

static bool is_of(const struct record *record, int set, int fd)
{
	return load(&record->set) == (uint32_t)set + 1 && load(&record->fd) == (uint32_t)fd;
}

static struct record *find(int set, int fd)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		if (is_of(&bucket[i], set, fd))
			return &bucket[i];
	}
	return NULL;
}

/* Is it PARKED for a socket that no longer has the number? */
static bool is_over(const struct record *record)
{
	return state_of(record) == PARKED && record->key != key_of((int)load(&record->fd)) &&
	       !fdtable_has_others();
}

/* Makes a record EMPTY for a new one. */
static struct record *place(int fd)
{
	struct record *bucket = bucket_of(fd), *best = bucket;

	for (size_t i = 1; i < EPOLLRECORD_SETS; i++) {
		if (state_of(&bucket[i]) < state_of(best))
			best = &bucket[i];
	}
	for (size_t i = 0; state_of(best) != EMPTY && i < EPOLLRECORD_SETS; i++) {
		if (is_over(&bucket[i])) {
			best = &bucket[i];
			break;
		}
	}
	make_empty(best);
	return best;
}

void epollrecord_note(int set, int operation, int fd, const struct epoll_event *event)
{
	struct record *record = find(set, fd);

	if (operation == EPOLL_CTL_DEL) {
		if (record)
			make_empty(record);
		return;
	}
	if (!record)
		record = place(fd);
	store(&record->set, 0);
	store(&record->fd, (uint32_t)fd);
	store(&record->events, event->events);
	store(&record->data_low, (uint32_t)event->data.u64);
	store(&record->data_high, (uint32_t)(event->data.u64 >> 32));
	store(&record->set, (uint32_t)set + 1);
}

bool epollrecord_find(int set, int fd, struct epoll_event *ret)
{
	const struct record *record = find(set, fd);
	struct epoll_event found;

	if (!record)
		return false;
	found.events = load(&record->events) | EPOLLERR | EPOLLHUP; /* which the kernel adds */
	found.data.u64 = (uint64_t)load(&record->data_high) << 32;
	found.data.u64 |= load(&record->data_low);
	if (!is_of(record, set, fd))
		return false;
	*ret = found;
	return true;
}

/* Are these numbers of one set? */
static bool is_same_set(int number, int set)
{
	return number == set || sys_kcmp(KCMP_FILE, (unsigned long)number, (unsigned long)set) == 0;
}

/* False where kcmp(2) is refused, but by a filter that gives one of these errors. */
static bool is_no_set(int number, int fd)
{
	const int rc = sys_kcmp_epoll(number, fd);

	return rc == -EBADF || rc == -EINVAL;
}

/* The program may have registered it by another number of the set, which may be closed by now. */
static struct record *find_by_any_number(int set, int fd)
{
	struct record *bucket = bucket_of(fd), *exact = find(set, fd);

	if (exact) /* first, since a filter may say of every number that it is no set */
		return exact;
	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		const int number = (int)load(&bucket[i].set) - 1;

		if (number >= 0 && load(&bucket[i].fd) == (uint32_t)fd &&
		    (is_same_set(number, set) || is_no_set(number, fd)))
			return &bucket[i];
	}
	return NULL;
}

bool epollrecord_park(int set, int fd)
{
	struct record *record = find_by_any_number(set, fd);
	const socket_key key = record ? key_of(fd) : KEY_NONE;

	if (key == KEY_NONE)
		return false;
	store(&record->set, (uint32_t)set + 1);
	record->key = key;
	store(&any_parked, 1);
	return true;
}

bool epollrecord_any_parked(void)
{
	return load(&any_parked) != 0;
}

static struct record *find_parked(int set, int fd)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		if (state_of(&bucket[i]) == PARKED && load(&bucket[i].fd) == (uint32_t)fd &&
		    is_same_set((int)load(&bucket[i].set) - 1, set) && bucket[i].key == key_of(fd))
			return &bucket[i];
	}
	return NULL;
}

bool epollrecord_is_parked(int set, int fd)
{
	return find_parked(set, fd) != NULL;
}

void epollrecord_unpark(int set, int fd)
{
	struct record *record = find_parked(set, fd);

	if (record)
		make_empty(record);
}

void epollrecord_follow(int fd, socket_key before)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		if (state_of(&bucket[i]) == PARKED && load(&bucket[i].fd) == (uint32_t)fd &&
		    bucket[i].key == before)
			bucket[i].key = key_of(fd);
	}
}

/* Asks for other tables only if it matters: kcmp(2) may be forbidden (fdtable_note()). */
void epollrecord_new_set(int set)
{
	if (!epollrecord_any_parked())
		return;
	for (size_t i = 0; i < EPOLLRECORD_FDS; i++) {
		for (size_t j = 0; j < EPOLLRECORD_SETS; j++) {
			struct record *record = &records[i][j];

			if (load(&record->set) != (uint32_t)set + 1 || state_of(record) != PARKED)
				continue;
			if (fdtable_has_others())
				return;
			make_empty(record);
		}
	}
}
