/* SPDX-License-Identifier: MIT */
/* carry.h - copying the options that a program has set from its socket to another one */
#ifndef XBIND_CARRY_H
#define XBIND_CARRY_H

#include "xbind/key.h"
#include "xbind/survey.h"

/**
 * carry_options() - copy the options that were set on one socket to another
 * @old:    the program's socket; stays as it is
 * @to:     a new socket of the same kind, in the target namespace
 * @key:    key of @old
 * @survey: which options of @old are set
 *
 * An option without which the socket would be exposed more widely than the program asked
 * (OPTION_SAFETY) must be copied. A failure of any other is only logged.
 *
 * Return: 0, -errno of an OPTION_SAFETY option, or -EACCES for a filter that cannot be read.
 */
int carry_options(int old, int to, socket_key key, const struct survey *survey);

#endif
