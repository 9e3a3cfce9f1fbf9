/* SPDX-License-Identifier: MIT */
/*
 * table.h - the table of descriptors, and who has another one
 *
 * What this library remembers of descriptor numbers holds for one table of descriptors. But a
 * thread may leave that table by unshare(2), and the child of vfork(2) has a copy of the table and
 * yet the same memory.
 */
#ifndef XBIND_TABLE_H
#define XBIND_TABLE_H

#include <stdbool.h>

/* For the constructor: this thread's table is the one that others are compared with. */
void table_load(void);

/* To be called before a number is noted, which may be one of another table than most threads'. */
void table_note(void);

/* Does somebody share this memory but not the table, so that a number closed here may be open? */
bool table_has_others(void);

/* Does that thread, by its id? It need not have noted a number. */
bool table_is_apart_from(int other);

/* Is this the process whose memory it is? Not the child of vfork(2). */
bool table_is_owners(void);

/* One more than the highest number that can be open. */
int table_end(void);

#endif
