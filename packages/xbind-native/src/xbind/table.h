/* SPDX-License-Identifier: MIT */
/*
 * table.h - the table of descriptors, and whose it is
 *
 * What is kept in memory of numbers is true of one table. Threads may leave it by unshare(2), and
 * the child of vfork(2) has a copy of the table and the memory itself.
 */
#ifndef XBIND_TABLE_H
#define XBIND_TABLE_H

#include <stdbool.h>

/* For the constructor: this thread's table is the one that others are compared with. */
void table_load(void);

/* A number is noted that may be one of another table than that of most threads. */
void table_note(void);

/* Are there other tables beside this memory, in which a number that is closed here may be open? */
bool table_has_others(void);

/* One more than the highest number that can be open. */
int table_end(void);

#endif
