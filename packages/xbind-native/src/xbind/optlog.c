/* SPDX-License-Identifier: MIT */
/* optlog.c - what is recorded of an option, and how it is set again */
#include "xbind/optlog.h"

#include "core/sys.h"
#include "xbind/kind.h"
#include "xbind/log.h"
#include "xbind/memory.h"
#include "xbind/moved.h"
#include "xbind/options.h"
#include "xbind/optrecord.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#define OPTLOG_E_END 1 /* nothing more was recorded */

static void add_program(int fd, socket_key key, int row, const void *value)
{
	struct sock_fprog program;
	size_t bytes;

	memcpy(&program, value, sizeof(program));
	bytes = program.len * sizeof(*program.filter);
	if (memory_readable(program.filter, bytes) < bytes)
		optrecord_lose(fd, key);
	else
		optrecord_add(fd, key, row, program.filter, bytes);
}

static bool is_filter(const struct optrecord *record)
{
	return record->row == option_find(SOL_SOCKET, SO_ATTACH_BPF);
}

/* A socket has at most one program that spreads connections, classic or extended. */
static bool spreads_connections(const struct optrecord *record)
{
	return record->row == option_find(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF) ||
	       record->row == option_find(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF);
}

/*
 * The latest record about a group, if it is of this row, else NULL. What an earlier one has set may
 * have been changed since.
 */
static struct optrecord *last_of_group(socket_key key, const struct group *group, int row)
{
	struct optrecord *last = optrecord_find_group(key, group, UINT64_MAX);

	return last && last->row == row ? last : NULL;
}

/*
 * Leaving the last source of a group leaves the group, even if the socket had joined it for all
 * sources. So leaving a source undoes its join and nothing else only if that join was the first
 * record about the group, or came just after the join of another source.
 */
static bool can_cancel(socket_key key, const struct group *group, struct optrecord *record)
{
	struct optrecord *before;

	if (!(options[record->row].flags & OPTION_ONE_SOURCE))
		return true;
	before = optrecord_find_group(key, group, record->order);
	return !before || (before->row == record->row &&
	                   group_is_same_interface(record->row, optrecord_bytes(before),
	                                           optrecord_bytes(record)));
}

/* Drops the join just before a leave, so that repeating both does not fill the table. */
static bool cancel(socket_key key, int undone, const struct group *group, const void *value,
                   size_t len)
{
	struct optrecord *record = last_of_group(key, group, undone);

	if (!record || record->len != len || memcmp(optrecord_bytes(record), value, len) != 0 ||
	    !can_cancel(key, group, record))
		return false;
	optrecord_forget(record);
	return true;
}

static void note_undo(int fd, socket_key key, int row, const void *value, size_t len)
{
	const struct option *option = &options[row];
	struct group group;

	if (option->name == SO_DETACH_REUSEPORT_BPF && option->level == SOL_SOCKET) {
		optrecord_forget_if(key, spreads_connections);
		return;
	}
	if (!group_of(row, value, len, &group) ||
	    !cancel(key, option_find(option->level, option->other), &group, value, len))
		optrecord_add(fd, key, row, value, len);
}

/* A list of sources that is set again and again is recorded once. */
static void note_each(int fd, socket_key key, int row, const void *value, size_t len)
{
	struct group group;
	struct optrecord *last;

	if (group_of(row, value, len, &group)) {
		last = last_of_group(key, &group, row);
		if (last && options[row].flags & OPTION_ALL_SOURCES &&
		    group_is_same_interface(row, optrecord_bytes(last), value))
			optrecord_forget(last);
	}
	optrecord_add(fd, key, row, value, len);
}

static bool is_policy(const struct optrecord *record)
{
	return options[record->row].flags & OPTION_POLICY;
}

static void note(int fd, socket_key key, int row, const void *value, size_t len)
{
	struct optrecord *last;
	int program;

	switch ((enum option_how)options[row].how) {
	case OPTION_UNDO:
		note_undo(fd, key, row, value, len);
		break;
	case OPTION_PLAIN:
	case OPTION_LAST:
	case OPTION_MULTICAST_IF:
		last = optrecord_find(key, row);
		if (last)
			optrecord_forget(last);
		optrecord_add(fd, key, row, value, len);
		break;
	case OPTION_LAST_PROG:
		optrecord_forget_if(key, spreads_connections);
		add_program(fd, key, row, value);
		break;
	case OPTION_LAST_FD:
		optrecord_forget_if(key, options[row].name == SO_ATTACH_BPF ? is_filter
		                                                            : spreads_connections);
		memcpy(&program, value, sizeof(program));
		optrecord_add_program(fd, key, row, program);
		break;
	default:
		if (options[row].flags & OPTION_POLICY && len == 0)
			optrecord_forget_if(key, is_policy);
		else
			note_each(fd, key, row, value, len);
	}
}

void optlog_note(int fd, socket_key key, int row, const void *value, socklen_t len)
{
	const size_t longest = len < options[row].bytes ? len : options[row].bytes;
	size_t readable;
	struct lock_turn turn;
	struct kind kind;

	if (key == KEY_NONE || moved_is(key) || kind_read(fd, &kind) != 0)
		return;
	/* The kernel may have read less than the length says, and that much is readable. */
	readable = memory_readable(value, longest);
	turn = optrecord_enter();
	if (turn.held)
		note(fd, key, row, value, readable);
	else
		optrecord_lose(fd, key);
	lock_leave(&turn);
}

static int set_again(struct optrecord *record, int to)
{
	const struct option *option = &options[record->row];
	const void *value = optrecord_bytes(record);
	socklen_t len = record->len;
	struct sock_fprog program;

	if (option->how == OPTION_LAST_FD) {
		if (!optrecord_has_program(record))
			return -EACCES;
		value = &record->program;
		len = sizeof(record->program);
	} else if (option->how == OPTION_LAST_PROG) {
		memset(&program, 0, sizeof(program)); /* Memcheck checks its padding, too */
		program.len = (unsigned short)(len / sizeof(struct sock_filter));
		program.filter = (void *)optrecord_bytes(record);
		value = &program;
		len = sizeof(program);
	}
	return sys_setsockopt(to, option->level, option->name, value, len);
}

/* It can be set only while SO_REUSEPORT is on, and stays when that is turned off again. */
static int set_spreading_again(struct optrecord *record, int to)
{
	const int on = 1, before = option_number(to, SOL_SOCKET, SO_REUSEPORT);
	int rc;

	sys_setsockopt(to, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	rc = set_again(record, to);
	sys_setsockopt(to, SOL_SOCKET, SO_REUSEPORT, &before, sizeof(before));
	return rc;
}

static int replay_one(struct optrecord *record, int to)
{
	if (is_filter(record))
		return 0;
	return spreads_connections(record) ? set_spreading_again(record, to)
	                                   : set_again(record, to);
}

/*
 * The kernel may take its time to set an option. Others need not wait for that: a value that lies
 * in the record itself is set from a copy of the record, without the lock.
 */
static int replay_next(socket_key key, int old, int to, uint64_t *order)
{
	struct lock_turn turn = optrecord_enter();
	const struct optrecord *next = turn.held ? optrecord_next(key, *order) : NULL;
	int rc = turn.held ? OPTLOG_E_END : -EAGAIN;
	struct optrecord record;
	bool is_copy;

	if (!next) {
		lock_leave(&turn);
		return rc;
	}
	record = *next;
	is_copy = record.program < 0 && optrecord_bytes(&record) == record.bytes;
	if (is_copy)
		lock_leave(&turn);
	rc = replay_one(&record, to);
	if (!is_copy)
		lock_leave(&turn);
	*order = record.order;
	if (options[record.row].flags & OPTION_SAFETY)
		return rc;
	log_option_lost(old, options[record.row].level, options[record.row].name, rc);
	return 0;
}

int optlog_replay(socket_key key, int old, int to)
{
	uint64_t order = 0;
	int rc = 0;

	if (optrecord_is_lost(key))
		return -ENOBUFS;
	if (!optrecord_any())
		return 0;
	while (rc == 0)
		rc = replay_next(key, old, to, &order);
	return rc == OPTLOG_E_END ? 0 : rc;
}

bool optlog_has(socket_key key, int row)
{
	const struct lock_turn turn = optrecord_enter();
	const bool has = turn.held && optrecord_find(key, row);

	lock_leave(&turn);
	return has;
}

int optlog_replay_filter(socket_key key, int to)
{
	struct lock_turn turn = optrecord_enter();
	struct optrecord *record =
	    turn.held ? optrecord_find(key, option_find(SOL_SOCKET, SO_ATTACH_BPF)) : NULL;
	const int rc = record ? set_again(record, to) : -EACCES;

	lock_leave(&turn);
	return rc;
}

static bool is_own(const struct optrecord *record)
{
	return record->process == sys_getpid();
}

void optlog_forget(socket_key key)
{
	struct lock_turn turn;

	if (!optrecord_any())
		return;
	turn = optrecord_enter();
	if (turn.held)
		optrecord_forget_if(key, is_own);
	lock_leave(&turn);
}
