/* SPDX-License-Identifier: MIT */
/* carry.h - the options that a program has set on its socket, set on another one */
#ifndef XBIND_CARRY_H
#define XBIND_CARRY_H

#include "xbind/key.h"
#include "xbind/survey.h"

/**
 * carry_options() - set what was found to be set on one socket on another
 * @old:    the program's socket; stays as it is
 * @to:     a new socket of the same kind, in the target namespace
 * @key:    of the old one
 * @survey: of the old one
 *
 * An option without which the socket would be open wider than asked must get across; any other that
 * does not is logged.
 *
 * Return: 0, -errno of an option that must get across, or -EACCES for a filter that cannot be read.
 */
int carry_options(int old, int to, socket_key key, const struct survey *survey);

#endif
