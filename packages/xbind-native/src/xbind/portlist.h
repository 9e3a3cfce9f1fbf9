/* SPDX-License-Identifier: MIT */
/*
 * portlist.h - the grammar of XBIND
 *
 * list  = [ word ] { separator word }      separators: white space and commas
 * word  = [ "tcp/" | "udp/" ] ports        without a prefix: both
 * ports = "*" | port | port "-" port | port ":" port
 * port  = decimal digits, 0 to 65535
 *
 * "8000-8100" is a range, first to last. "8080:3000" publishes the program's port 3000 as 8080.
 */
#ifndef XBIND_PORTLIST_H
#define XBIND_PORTLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one word lists. */
struct portlist_rule {
	bool tcp;
	bool udp;
	bool every;         /* "*": all ports, which is more than a range from 0 to 65535 */
	uint16_t first;     /* the program's ports, both ends included */
	uint16_t last;      /* the same as first unless the word is a range or "*" */
	uint16_t published; /* what first is in the target namespace: first, unless "8080:3000" */
};

/* A word as it stands in the list; not NUL-terminated. */
struct portlist_word {
	const char *text;
	size_t len; /* bytes */
};

/**
 * portlist_next() - read the next word of a list
 * @cursor:   where to go on; moved behind the word
 * @ret_word: the word
 * @ret_rule: what it lists
 *
 * Return: 1, 0 at the end of the list (nothing is written), -EINVAL for a word that cannot be read
 *         (then @ret_rule is untouched, and the next call continues after it).
 */
int portlist_next(const char **cursor, struct portlist_word *ret_word,
                  struct portlist_rule *ret_rule);

#endif
