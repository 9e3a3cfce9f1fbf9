/* SPDX-License-Identifier: MIT */
#include "xbind/dynamic.h"

uintptr_t dynamic_value(const struct link_map *object, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *entry = object->l_ld;

	while (entry->d_tag != DT_NULL && entry->d_tag != tag)
		entry++;
	return entry->d_tag == tag ? entry->d_un.d_ptr : 0;
}

/*
 * glibc turns offsets into addresses, but not where the section cannot be written to, as that of
 * the vDSO. In gVisor that is linked for the end of memory: as if before its start.
 */
const void *dynamic_table(const struct link_map *object, ElfW(Sxword) tag)
{
	const intptr_t value = (intptr_t)dynamic_value(object, tag);
	const intptr_t base = (intptr_t)object->l_addr;

	return (const void *)(value < base ? base + value : value);
}
