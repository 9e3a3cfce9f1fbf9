/* SPDX-License-Identifier: MIT */
#include "xbind/dynamic.h"

uintptr_t dynamic_value(const struct link_map *object, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *entry = object->l_ld;

	while (entry->d_tag != DT_NULL && entry->d_tag != tag)
		entry++;
	return entry->d_tag == tag ? entry->d_un.d_ptr : 0;
}

/* glibc turns offsets into addresses, but not where the section cannot be written to. */
const void *dynamic_table(const struct link_map *object, ElfW(Sxword) tag)
{
	const uintptr_t value = dynamic_value(object, tag);

	return (const void *)(value < object->l_addr ? object->l_addr + value : value);
}
