/* SPDX-License-Identifier: MIT */
/*
 * optrecord.c - the table of records
 *
 * How it works: everything happens under one lock with the signals of the thread blocked, so that
 * no handler finds the table half changed. The keys lie apart from the records, so that a search
 * reads little memory; a record counts only once its key is written. Of a program that is given by
 * its descriptor a copy of that is kept under a high number, together with the program's id: the
 * application may close descriptors that it does not know, and the number then means another file.
 */
#include "xbind/optrecord.h"

#include "core/sys.h"
#include "xbind/fdtable.h"
#include "xbind/kind.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#define LOCK_WAIT_MS   10000 /* milliseconds; the holder's system calls may take long */
#define PROGRAM_FD_MIN 512   /* where the numbers of programs start, if the limit allows */
#define PROGRAMS_MAX   16    /* programs before we look which of their sockets are gone */
#define NOWHERE        (-1)
#define KEY_WRITTEN    UINTPTR_MAX /* no socket's: the place is being written */

static socket_key keys[OPTRECORD_COUNT];
static struct optrecord records[OPTRECORD_COUNT];
static _Atomic size_t used; /* no record from here on */
static uint64_t last_order;
static unsigned program_count;

static uint8_t large_bytes[OPTRECORD_LARGE][OPTRECORD_LARGE_BYTES];
static bool large_taken[OPTRECORD_LARGE];

static struct {
	_Atomic socket_key key;
	_Atomic int fd;     /* the number that the socket had */
	_Atomic int thread; /* which has set it */
} lost[OPTRECORD_LOST];
static _Atomic bool are_more_lost; /* some that are not in the table */

static _Atomic int holder;

struct lock_turn optrecord_enter(void)
{
	return lock_enter(&holder, LOCK_WAIT_MS);
}

/*
 * Is the socket of this number gone or bound, so that it will not move any more? One without a
 * number here (-1) may have one in another descriptor table, above all that of the thread that has
 * set the option.
 */
static bool is_over(int fd, int thread, bool has_others)
{
	if (fd >= 0)
		return !kind_is_unbound(fd);
	return !has_others && !fdtable_is_apart_from(thread);
}

/* Takes a place that is empty, or that of a socket which needs it no more. */
static bool take_lost(int place)
{
	socket_key before = lost[place].key;

	if (before == KEY_WRITTEN)
		return false;
	if (before != KEY_NONE) {
		const int fd = kind_number_of(before, lost[place].fd);

		if (!is_over(fd, lost[place].thread, fd < 0 && fdtable_has_others()))
			return false;
	}
	return atomic_compare_exchange_strong(&lost[place].key, &before, KEY_WRITTEN);
}

void optrecord_lose(int fd, socket_key key)
{
	if (optrecord_is_lost(key))
		return;
	for (int i = 0; i < OPTRECORD_LOST; i++) {
		if (!take_lost(i))
			continue;
		lost[i].fd = fd;
		lost[i].thread = sys_gettid();
		lost[i].key = key;
		return;
	}
	are_more_lost = true;
}

bool optrecord_is_lost(socket_key key)
{
	for (int i = 0; i < OPTRECORD_LOST; i++) {
		if (lost[i].key == key)
			return true;
	}
	return are_more_lost;
}

uint8_t *optrecord_bytes(struct optrecord *record)
{
	return record->large == NOWHERE ? record->bytes : large_bytes[record->large];
}

/* The id of a program by its descriptor, 0 for anything else. */
static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {0};
	/* Only the first of union bpf_attr: gcc 15 does not zero the rest of a union, and the
	 * kernel wants it zero. */
	const struct {
		uint32_t bpf_fd;
		uint32_t info_len;
		uint64_t info;
	} attr = {(uint32_t)fd, sizeof(info), (uintptr_t)&info};

	SYS_CALL(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, (long)&attr, sizeof(attr));
	return info.id;
}

bool optrecord_has_program(const struct optrecord *record)
{
	return record->program >= 0 && program_id(record->program) == record->program_id;
}

void optrecord_forget(struct optrecord *record)
{
	if (record->program >= 0)
		program_count--;
	if (optrecord_has_program(record))
		sys_close(record->program);
	if (record->large != NOWHERE)
		large_taken[record->large] = false;
	keys[record - records] = KEY_NONE;
	while (used > 0 && keys[used - 1] == KEY_NONE)
		used--;
}

struct optrecord *optrecord_find(socket_key key, int row)
{
	for (size_t i = 0; i < used; i++) {
		if (keys[i] == key && records[i].row == row)
			return &records[i];
	}
	return NULL;
}

static bool is_about(struct optrecord *record, const struct group *group)
{
	struct group own;

	return group_of(record->row, optrecord_bytes(record), record->len, &own) &&
	       group_is_same(&own, group);
}

struct optrecord *optrecord_find_group(socket_key key, const struct group *group, uint64_t before)
{
	struct optrecord *best = NULL;

	for (size_t i = 0; i < used; i++) {
		if (keys[i] != key || records[i].order >= before || !is_about(&records[i], group))
			continue;
		if (!best || records[i].order > best->order)
			best = &records[i];
	}
	return best;
}

/* Gives records without a number the present number of their socket, if it has one. */
static void find_numbers(void)
{
	const int end = fdtable_end();

	for (int fd = 0; fd < end; fd++) {
		const socket_key key = key_of(fd);

		for (size_t i = 0; key != KEY_NONE && i < used; i++) {
			if (keys[i] == key && records[i].fd < 0)
				records[i].fd = fd;
		}
	}
}

/* Takes the number from records whose socket no longer has it. Return: whether any is without. */
static bool drop_numbers(void)
{
	bool any = false;

	for (size_t i = 0; i < used; i++) {
		if (keys[i] == KEY_NONE)
			continue;
		if (i > 0 && keys[i] == keys[i - 1]) /* most are, and each look is a system call */
			records[i].fd = records[i - 1].fd;
		else if (key_of(records[i].fd) != keys[i])
			records[i].fd = -1;
		any = any || records[i].fd < 0;
	}
	return any;
}

/* Drops records of sockets that are gone or bound, and so will not move any more. */
static void sweep(void)
{
	socket_key key = KEY_NONE;
	bool over = false, has_others = false;

	if (drop_numbers()) {
		find_numbers();
		has_others = fdtable_has_others(); /* which may have to look at every thread */
	}
	for (size_t i = used; i-- > 0;) {
		if (keys[i] != key)
			over = keys[i] != KEY_NONE &&
			       is_over(records[i].fd, records[i].thread, has_others);
		key = keys[i];
		if (over)
			optrecord_forget(&records[i]);
	}
}

static size_t free_place(void)
{
	for (size_t i = 0; i < OPTRECORD_COUNT; i++) {
		if (keys[i] == KEY_NONE)
			return i;
	}
	return OPTRECORD_COUNT;
}

static int16_t take_large(size_t len)
{
	for (int16_t i = 0; len <= OPTRECORD_LARGE_BYTES && i < OPTRECORD_LARGE; i++) {
		if (large_taken[i])
			continue;
		large_taken[i] = true;
		return i;
	}
	return NOWHERE;
}

static size_t place_for(size_t len, int16_t *ret_large)
{
	size_t at = used < OPTRECORD_COUNT ? used : free_place();

	*ret_large = NOWHERE;
	if (at != OPTRECORD_COUNT && len > OPTRECORD_BYTES) {
		*ret_large = take_large(len);
		if (*ret_large == NOWHERE)
			return OPTRECORD_COUNT;
	}
	return at;
}

/* Return: a new record with room for len bytes, NULL when there is none and the socket is lost. */
static struct optrecord *add(int fd, socket_key key, int row, size_t len)
{
	int16_t large;
	size_t at = place_for(len, &large);

	if (at == OPTRECORD_COUNT) {
		sweep();
		at = place_for(len, &large);
	}
	if (at == OPTRECORD_COUNT) {
		optrecord_lose(fd, key);
		return NULL;
	}
	records[at] = (struct optrecord){
	    .order = ++last_order,
	    .process = sys_getpid(),
	    .thread = sys_gettid(),
	    .fd = fd,
	    .program = -1,
	    .len = (uint32_t)len,
	    .row = (int16_t)row,
	    .large = large,
	};
	keys[at] = key;
	if (at >= used)
		used = at + 1;
	return &records[at];
}

void optrecord_add(int fd, socket_key key, int row, const void *value, size_t len)
{
	struct optrecord *record = add(fd, key, row, len);

	if (record)
		memcpy(optrecord_bytes(record), value, len);
}

static void keep_program(struct optrecord *record, int program)
{
	record->program_id = program_id(program);
	if (record->program_id == 0) /* could not be told from a later file of that number */
		return;
	record->program = sys_fcntl(program, F_DUPFD_CLOEXEC, PROGRAM_FD_MIN);
	if (record->program < 0)
		record->program = sys_fcntl(program, F_DUPFD_CLOEXEC, 0);
	program_count += record->program >= 0;
}

void optrecord_add_program(int fd, socket_key key, int row, int program)
{
	struct optrecord *record;

	if (program_count >= PROGRAMS_MAX)
		sweep();
	record = add(fd, key, row, 0);
	if (record)
		keep_program(record, program);
}

bool optrecord_any(void)
{
	return used > 0;
}

struct optrecord *optrecord_next(socket_key key, uint64_t order)
{
	struct optrecord *best = NULL;

	for (size_t i = 0; i < used; i++) {
		if (keys[i] == key && records[i].order > order &&
		    (!best || records[i].order < best->order))
			best = &records[i];
	}
	return best;
}

void optrecord_forget_if(socket_key key, bool (*is_one)(const struct optrecord *record))
{
	for (size_t i = used; i-- > 0;) {
		if (keys[i] == key && is_one(&records[i]))
			optrecord_forget(&records[i]);
	}
}
