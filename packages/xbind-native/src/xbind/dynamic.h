/* SPDX-License-Identifier: MIT */
/* dynamic.h - entries in the dynamic section (elf(5)) of a loaded object */
#ifndef XBIND_DYNAMIC_H
#define XBIND_DYNAMIC_H

#include <link.h>
#include <stdint.h>

/* Both look at no more of @object than l_addr and l_ld. */

/* Return: the value of the entry with this tag, 0 if there is none. */
uintptr_t dynamic_value(const struct link_map *object, ElfW(Sxword) tag);

/* Return: the address in the entry with this tag; meaningless if there is none. */
const void *dynamic_table(const struct link_map *object, ElfW(Sxword) tag);

#endif
