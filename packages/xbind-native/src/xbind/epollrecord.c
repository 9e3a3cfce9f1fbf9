/* SPDX-License-Identifier: MIT */
/*
 * epollrecord.c - a table of atomics without a lock
 *
 * A record is invalid while it is written. Two threads that write the same record at the same time
 * may leave a mixture; they have then also raced in the kernel, on the same registration.
 */
#include "xbind/epollrecord.h"

#include "core/sys.h"
#include "xbind/table.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>

/* Halves of data, since not every 32-bit processor has 64-bit atomics. */
struct record {
	_Atomic uint32_t set; /* number + 1; 0 for none */
	_Atomic uint32_t fd;
	_Atomic uint32_t events;
	_Atomic uint32_t data_low;
	_Atomic uint32_t data_high;
	_Atomic uint32_t parked; /* inode of the socket that is not in the set; 0 for none */
};

static struct record records[EPOLLRECORD_FDS][EPOLLRECORD_SETS];
static _Atomic uint32_t has_parked; /* there is one, or was */

/* A sequentially consistent store is an instruction that waits: release is enough here. */
static uint32_t load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

static void store(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
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

/*
 * Where a new record goes: to an empty place, else over another; not over what is parked, which the
 * kernel does not know, unless that is in every place.
 */
static struct record *place(int fd)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		if (load(&bucket[i].set) == 0)
			return &bucket[i];
	}
	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		if (load(&bucket[i].parked) == 0)
			return &bucket[i];
	}
	return bucket;
}

void epollrecord_note(int set, int operation, int fd, const struct epoll_event *event)
{
	struct record *record = find(set, fd);

	if (operation == EPOLL_CTL_DEL) {
		if (record)
			store(&record->set, 0);
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

bool epollrecord_find(int set, int fd, struct epoll_registration *ret)
{
	const struct record *record = find(set, fd);
	struct epoll_registration found;

	if (!record)
		return false;
	found.events = load(&record->events) | EPOLLERR | EPOLLHUP; /* which the kernel adds */
	found.data = (uint64_t)load(&record->data_high) << 32;
	found.data |= load(&record->data_low);
	if (!is_of(record, set, fd))
		return false;
	*ret = found;
	return true;
}

/* The inode of what has this number, so that a later socket of the same number is not taken for it.
 */
static uint32_t inode_of(int fd)
{
	struct sys_identity identity;

	return sys_identify(fd, &identity) < 0 ? 0 : (uint32_t)identity.inode;
}

/* The number of the set, or of a copy of it. */
static bool is_same_set(uint32_t number, int set)
{
	return number == (uint32_t)set + 1 ||
	       sys_kcmp(KCMP_FILE, number - 1, (unsigned long)set) == 0;
}

/* Where kcmp(2) is refused nobody can tell. */
static bool is_no_set(int kcmp_rc)
{
	return kcmp_rc == -EBADF || kcmp_rc == -EINVAL;
}

/* The program may have registered it by the number of a copy, or by one that is no set by now. */
static struct record *find_by_any_number(int set, int fd)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		uint32_t number = load(&bucket[i].set);

		if (number != 0 && load(&bucket[i].fd) == (uint32_t)fd &&
		    (is_same_set(number, set) || is_no_set(sys_kcmp_epoll((int)number - 1, fd))))
			return &bucket[i];
	}
	return NULL;
}

static struct record *find_parked(int set, int fd)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		uint32_t parked = load(&bucket[i].parked);

		if (parked != 0 && load(&bucket[i].fd) == (uint32_t)fd &&
		    is_same_set(load(&bucket[i].set), set) && parked == inode_of(fd))
			return &bucket[i];
	}
	return NULL;
}

bool epollrecord_park(int set, int fd)
{
	struct record *record = find(set, fd);

	if (!record)
		record = find_by_any_number(set, fd);
	if (record) {
		store(&record->set, (uint32_t)set + 1);
		store(&record->parked, inode_of(fd));
		store(&has_parked, 1);
	}
	return record != NULL;
}

bool epollrecord_any_parked(void)
{
	return load(&has_parked) != 0;
}

bool epollrecord_is_parked(int set, int fd)
{
	return find_parked(set, fd) != NULL;
}

void epollrecord_follow(int fd, uint64_t inode)
{
	struct record *bucket = bucket_of(fd);

	for (size_t i = 0; i < EPOLLRECORD_SETS; i++) {
		uint32_t parked = load(&bucket[i].parked);

		if (parked != 0 && parked == (uint32_t)inode && load(&bucket[i].fd) == (uint32_t)fd)
			store(&bucket[i].parked, inode_of(fd));
	}
}

void epollrecord_new_set(int set)
{
	if (!epollrecord_any_parked() || table_has_others())
		return;
	for (size_t i = 0; i < EPOLLRECORD_FDS; i++) {
		for (size_t j = 0; j < EPOLLRECORD_SETS; j++) {
			if (load(&records[i][j].set) == (uint32_t)set + 1)
				store(&records[i][j].parked, 0);
		}
	}
}

bool epollrecord_unpark(int set, int fd)
{
	struct record *record = find_parked(set, fd);

	return record && atomic_exchange(&record->parked, 0) != 0;
}
