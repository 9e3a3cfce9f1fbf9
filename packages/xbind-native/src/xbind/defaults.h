/* SPDX-License-Identifier: MIT */
/* defaults.h - the default values of options in the program's own namespace */
#ifndef XBIND_DEFAULTS_H
#define XBIND_DEFAULTS_H

#include "xbind/kind.h"
#include "xbind/options.h"

/* Reads the default of one option from a fresh socket. Return: 0, or -errno of socket(2). */
int defaults_ask(const struct kind *kind, const struct option *option, struct option_value *ret);

/* A look into the defaults of one kind of socket. */
struct defaults {
	struct defaults_cache *cache; /* has the answers, or is filled with them; else NULL */
	int fresh;                    /* the socket to ask, -1 when the cache knows */
	struct option_value value;    /* without a cache: the last answer */
};

/**
 * defaults_open() - start to look at the defaults for a socket
 * @old:  the program's socket; its namespace is where the defaults are from
 * @kind: its kind
 * @ret:  to be closed with defaults_close()
 *
 * The first look for each kind asks a fresh socket and keeps the answers.
 *
 * Return: 0, or -errno of socket(2).
 */
int defaults_open(int old, const struct kind *kind, struct defaults *ret);

/* The default of options[row]; valid until the next call. */
const struct option_value *defaults_get(struct defaults *defaults, int row);

/* To be called once every row has been looked at: then the cache is complete. */
void defaults_close(struct defaults *defaults);

#endif
