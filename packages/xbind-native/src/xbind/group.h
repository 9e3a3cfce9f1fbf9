/* SPDX-License-Identifier: MIT */
/* group.h - which multicast or anycast address a value of setsockopt(2) is about */
#ifndef XBIND_GROUP_H
#define XBIND_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group {
	const uint8_t *address; /* in the value */
	size_t bytes;           /* 4 or 16, by the family */
};

/* Return: whether the option of this row is about a group, and its value is long enough for one. */
bool group_of(int row, const uint8_t *value, size_t len, struct group *ret);

bool group_is_same(const struct group *a, const struct group *b);

/* For two values of an option that names sources, about the same group: are they about the same
 * interface, too? */
bool group_is_same_interface(int row, const uint8_t *a, const uint8_t *b);

#endif
