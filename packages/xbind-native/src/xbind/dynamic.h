/* SPDX-License-Identifier: MIT */
/* dynamic.h - the dynamic section of what is loaded, by the tags of elf(5) */
#ifndef XBIND_DYNAMIC_H
#define XBIND_DYNAMIC_H

#include <link.h>
#include <stdint.h>

/* Both look at no more of @object than l_addr and l_ld. */

/* Return: what there is under the tag, 0 where nothing is. */
uintptr_t dynamic_value(const struct link_map *object, ElfW(Sxword) tag);

/* Return: the address that a tag tells of; of no use where the tag is missing. */
const void *dynamic_table(const struct link_map *object, ElfW(Sxword) tag);

#endif
