/* SPDX-License-Identifier: MIT */
/*
 * fdtable.h - who shares this memory but has another descriptor table
 *
 * What this library remembers about descriptor numbers holds for one descriptor table. But a thread
 * may leave that table by unshare(2), and the child of vfork(2) shares the memory and has a copy of
 * the table.
 */
#ifndef XBIND_FDTABLE_H
#define XBIND_FDTABLE_H

#include <stdbool.h>

/* For the constructor: this thread's table is the one that others are compared with. */
void fdtable_load(void);

/* To be called before a number is noted, since it may be of another table than that of most
 * threads. */
void fdtable_note(void);

/* Does anybody share this memory but not the table? A number closed here may be open there. */
bool fdtable_has_others(void);

/* The same for one thread, by its id. It need not have noted a number. */
bool fdtable_is_apart_from(int other);

/* Does this memory belong to the calling process? Not to the child of vfork(2). */
bool fdtable_is_owners(void);

/* One more than the highest number that can be open. */
int fdtable_end(void);

#endif
