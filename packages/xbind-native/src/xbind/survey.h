/* SPDX-License-Identifier: MIT */
/* survey.h - which options have been set on a socket */
#ifndef XBIND_SURVEY_H
#define XBIND_SURVEY_H

#include "xbind/key.h"
#include "xbind/kind.h"
#include "xbind/options.h"

#include <stdbool.h>

/* Without the values, since the stack may be small. */
struct survey {
	bool is_set[OPTIONS_COUNT]; /* options[row] has to be carried over */

	/*
	 * Has this MPTCP socket its first subflow, a TCP socket? bind(2) makes it, and so do some
	 * options, such as SO_REUSEADDR. Connections inherit only what is set after that.
	 */
	bool has_subflow;
};

/**
 * survey_take() - look at every option of the program's socket
 * @old:  the socket
 * @kind: its kind
 * @key:  its key
 * @ret:  the options that have to be carried over; written on success only
 *
 * Changes nothing, and needs no other socket than a fresh one for the first look at each kind.
 *
 * Return: 0, or what socket(2) gives for that fresh socket.
 */
int survey_take(int old, const struct kind *kind, socket_key key, struct survey *ret);

#endif
