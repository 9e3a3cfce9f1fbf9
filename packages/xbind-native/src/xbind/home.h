/* SPDX-License-Identifier: MIT */
/* home.h - the network namespace that a program was started in */
#ifndef XBIND_HOME_H
#define XBIND_HOME_H

#include <stdbool.h>

/* The namespace that we are in now is home: for the constructor. */
void home_load(void);

/* Is this a socket of home, or was it before it moved? true also where the kernel does not tell. */
bool home_has(int fd);

#endif
