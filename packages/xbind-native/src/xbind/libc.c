/* SPDX-License-Identifier: MIT */
/*
 * libc.c - looking up libc's own functions in its symbol table
 *
 * How it works: the dynamic linker keeps a list of all loaded objects for debuggers (_r_debug of
 * link.h), and each has a dynamic section with a hash table of its symbols, DT_GNU_HASH. The search
 * calls no function that the program, another library or an auditor (LD_AUDIT) may replace by one
 * that looks symbols up itself. Objects that the program was started with come first in the list,
 * in an order that does not change. libc is among them, since this library needs it, so the search
 * never gets to the end of the list, which another thread may be changing.
 */
#include "xbind/libc.h"

#include "xbind/dynamic.h"

#include <gnu/lib-names.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

#define VERSION_FORMER 0x8000 /* in DT_VERSYM: an old version, which dlsym(3) does not find */

/* The head of DT_GNU_HASH; the filter, the buckets and the chains follow. */
struct hash_head {
	uint32_t buckets;
	uint32_t first; /* symbol of the chains */
	uint32_t filter_words;
	uint32_t filter_shift;
};

typedef void *find_function(void *handle, const char *name);

/* Before glibc 2.34 dlsym(3) was in a library of its own. */
static bool is_libc(const struct link_map *object)
{
	const char *strings = dynamic_table(object, DT_STRTAB);
	const char *name = strings + dynamic_value(object, DT_SONAME);

	return libc_is_same(name, LIBC_SO) || libc_is_same(name, LIBDL_SO);
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return hash;
}

static void *symbol_of(const struct link_map *object, const char *name)
{
	const ElfW(Sym) *symbols = dynamic_table(object, DT_SYMTAB);
	const ElfW(Versym) *versions = dynamic_table(object, DT_VERSYM);
	const char *strings = dynamic_table(object, DT_STRTAB);
	const struct hash_head *head = dynamic_table(object, DT_GNU_HASH);
	const void *filter = head + 1;
	const uint32_t *buckets =
	    (const uint32_t *)((const ElfW(Addr) *)filter + head->filter_words);
	const uint32_t *chains = buckets + head->buckets;
	const uint32_t hash = hash_of(name);
	uint32_t i = buckets[hash % head->buckets];

	if (i < head->first)
		return NULL;
	do {
		if (!(versions[i] & VERSION_FORMER) &&
		    libc_is_same(strings + symbols[i].st_name, name))
			return (void *)(object->l_addr + symbols[i].st_value);
	} while (!(chains[i++ - head->first] & 1)); /* which ends a chain */
	return NULL;
}

static const struct r_debug *debug_of(uintptr_t linker)
{
	const ElfW(Ehdr) *head = (const void *)linker;
	const ElfW(Phdr) *segment = (const void *)(linker + head->e_phoff);
	struct link_map object = {.l_addr = linker};

	while (segment->p_type != PT_DYNAMIC)
		segment++;
	object.l_ld = (ElfW(Dyn) *)(linker + segment->p_vaddr);
	return symbol_of(&object, "_r_debug");
}

/*
 * Not simply _r_debug: a program with a dynamic linker of its own may define that name. Where the
 * dynamic linker was run as a command, the kernel does not tell where it is (AT_BASE is 0).
 */
static const struct link_map *first_loaded(void)
{
	const uintptr_t linker = getauxval(AT_BASE);
	const struct r_debug *debug = linker ? debug_of(linker) : &_r_debug;

	return debug->r_map;
}

void *libc_function(const char *name)
{
	static const struct link_map
	    *_Atomic last; /* where one was found: a long list takes time */
	void *function = last ? symbol_of(last, name) : NULL;

	for (const struct link_map *object = first_loaded(); object && !function;
	     object = object->l_next) {
		if (!is_libc(object))
			continue;
		function = symbol_of(object, name);
		if (function)
			last = object;
	}
	return function;
}

void *libc_dlsym(void *handle, const char *name)
{
	static find_function *_Atomic find;

	if (!find)
		find = (find_function *)libc_function("dlsym");
	return find(handle, name);
}
