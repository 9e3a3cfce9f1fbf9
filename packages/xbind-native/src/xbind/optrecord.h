/* SPDX-License-Identifier: MIT */
/*
 * optrecord.h - the table of what was set and cannot be read back
 *
 * Only between optrecord_enter() and optrecord_leave() the table may be used, and only when the
 * guard is held; optrecord_any() and those of lost sockets need no guard.
 */
#ifndef XBIND_OPTRECORD_H
#define XBIND_OPTRECORD_H

#include "xbind/group.h"
#include "xbind/key.h"
#include "xbind/optlog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct optrecord {
	uint64_t order;
	int process; /* who has recorded it */
	int fd;      /* the number that the socket had */
	int kept;    /* OPTION_LAST_FD: our copy of the descriptor */
	uint32_t id; /* OPTION_LAST_FD: the id of the program */
	uint32_t len;
	int16_t row;
	int16_t large; /* index of its bytes among the large ones, -1 when they are here */
	uint8_t bytes[OPTLOG_BYTES];
};

struct optrecord_guard {
	uint64_t signals;
	bool held; /* false in a handler that has interrupted the holder, or after a long wait */
};

struct optrecord_guard optrecord_enter(void);
void optrecord_leave(const struct optrecord_guard *guard);

/* Is there any record at all? */
bool optrecord_any(void);

/* An option of this socket did not fit. Past OPTLOG_LOST of them every socket counts as such. */
void optrecord_lose(int fd, socket_key key);
bool optrecord_is_lost(socket_key key);

/* Adds a record with room for len bytes. Return: its index, OPTLOG_RECORDS when there is none. */
size_t optrecord_add(int fd, socket_key key, int row, size_t len);

struct optrecord *optrecord_at(size_t at);

/* Where its value is. */
uint8_t *optrecord_bytes(struct optrecord *record);

/* A record of this row, or OPTLOG_RECORDS. */
size_t optrecord_find(socket_key key, int row);

/* The socket's latest record about this group of those before an order, or OPTLOG_RECORDS. */
size_t optrecord_find_group(socket_key key, const struct group *group, uint64_t before);

/* The socket's next record in the order in which they were set, or OPTLOG_RECORDS. */
size_t optrecord_next(socket_key key, uint64_t order);

void optrecord_forget(size_t at);

/* Those of the socket for which is_one() says so. */
void optrecord_forget_if(socket_key key, bool (*is_one)(const struct optrecord *record));

/* Keeps a copy of a program's descriptor with the record, if the program has an id; it is closed
 * with it. */
void optrecord_keep(size_t at, int program);

/* Before a program is recorded: copies of those whose sockets are gone are closed. */
void optrecord_make_place(void);

/* The id of a program by its descriptor, 0 for anything else. */
uint32_t optrecord_program_id(int fd);

#endif
