/* SPDX-License-Identifier: MIT */
/* home.h - the network namespace that a program was in before it went into another one itself */
#ifndef XBIND_HOME_H
#define XBIND_HOME_H

#include <stdbool.h>

/* The calling thread is about to leave its namespace: the first one that is left is home. */
void home_note(void);

/* Is this a socket of home? So is any while nobody has left, and where the kernel does not tell. */
bool home_has(int fd);

#endif
