/* SPDX-License-Identifier: MIT */
/* carry.h - what a program has told its socket, told to another one */
#ifndef XBIND_CARRY_H
#define XBIND_CARRY_H

#include "xbind/key.h"
#include "xbind/kind.h"

/**
 * carry_options() - set every option as it is on another socket
 * @old:  the program's socket; stays as it is
 * @to:   a new socket of the same kind, in the target namespace
 * @kind: of both
 * @key:  of the old one
 *
 * What the program has not set keeps the default of the target namespace. An option without which
 * the socket would be open wider than asked must get across; any other that does not is logged.
 *
 * Return: 0, -errno of an option that must get across, -EACCES for a filter that cannot be read,
 *         or what socket(2) gives for the socket that tells the defaults of our own namespace.
 */
int carry_options(int old, int to, const struct kind *kind, socket_key key);

#endif
