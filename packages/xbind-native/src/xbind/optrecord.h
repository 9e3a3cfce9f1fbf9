/* SPDX-License-Identifier: MIT */
/*
 * optrecord.h - the table of options that were set and cannot be read back
 *
 * The table may be used only between optrecord_enter() and lock_leave(), and only when the turn is
 * held; optrecord_any() and the functions for lost sockets need no turn.
 *
 * It is bounded. When it is full, records of sockets that are gone or bound are dropped. If there
 * are none, the socket whose option did not fit is remembered as lost. When more sockets are lost
 * than can be remembered, every socket counts as lost.
 */
#ifndef XBIND_OPTRECORD_H
#define XBIND_OPTRECORD_H

#include "xbind/group.h"
#include "xbind/key.h"
#include "xbind/lock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTRECORD_COUNT       2048  /* options of sockets that are not bound yet */
#define OPTRECORD_BYTES       320   /* longest value or program that is kept in its record */
#define OPTRECORD_LARGE       8     /* values and programs that are longer */
#define OPTRECORD_LARGE_BYTES 32768 /* of each: the kernel's longest classic program */
#define OPTRECORD_LOST        256   /* sockets with an option that did not fit */

struct optrecord {
	uint64_t order;      /* increases with each record */
	int process;         /* who has recorded it */
	int thread;          /* and which thread of it, by its id */
	int fd;              /* the number that the socket had */
	int program;         /* OPTION_LAST_FD: our copy of the descriptor; -1 for none */
	uint32_t program_id; /* the kernel's, by which the copy is recognised */
	uint32_t len;        /* bytes of the value */
	int16_t row;         /* options[row] */
	int16_t large;       /* index of its bytes among the large ones, -1 when they are here */
	uint8_t bytes[OPTRECORD_BYTES];
};

/* The turn is not held in the handler of a fault of its holder, or after too long a wait. */
struct lock_turn optrecord_enter(void);

/* Is there any record at all? */
bool optrecord_any(void);

/* Marks a socket as lost: an option of it did not fit. */
void optrecord_lose(int fd, socket_key key);
bool optrecord_is_lost(socket_key key);

/* Adds a record of a value; if there is no room the socket is lost. */
void optrecord_add(int fd, socket_key key, int row, const void *value, size_t len);

/* The same for a program given by its descriptor, of which the record keeps a copy. */
void optrecord_add_program(int fd, socket_key key, int row, int program);

/* Is that copy still open, and not another file by now? */
bool optrecord_has_program(const struct optrecord *record);

/* Where its value is. */
uint8_t *optrecord_bytes(struct optrecord *record);

/* A record of this row, or NULL. */
struct optrecord *optrecord_find(socket_key key, int row);

/* The socket's latest record about this group with an order below before, or NULL. */
struct optrecord *optrecord_find_group(socket_key key, const struct group *group, uint64_t before);

/* The socket's first record with an order above this one, or NULL. */
struct optrecord *optrecord_next(socket_key key, uint64_t order);

/* Drops one record. */
void optrecord_forget(struct optrecord *record);

/* Drops the socket's records for which is_one() is true. */
void optrecord_forget_if(socket_key key, bool (*is_one)(const struct optrecord *record));

#endif
