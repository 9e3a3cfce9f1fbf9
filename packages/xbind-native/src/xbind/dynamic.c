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
 * glibc turns the offsets into addresses, except in a read-only section such as that of the vDSO.
 * gVisor links its vDSO for the end of the address space, hence the signed comparison.
 */
const void *dynamic_table(const struct link_map *object, ElfW(Sxword) tag)
{
	const intptr_t value = (intptr_t)dynamic_value(object, tag);
	const intptr_t base = (intptr_t)object->l_addr;

	return (const void *)(value < base ? base + value : value);
}
