/* SPDX-License-Identifier: MIT */
/*
 * deepbind.c - libraries loaded with RTLD_DEEPBIND
 *
 * How it works: each library has a table of the functions that it calls, which the dynamic linker
 * fills (the relocations of elf(5)). For a library loaded with RTLD_DEEPBIND it puts libc's
 * functions there, for any other the hooks. So every entry with libc's address of a hooked function
 * is changed to the hook. With lazy binding an entry points into the library itself until the first
 * call. It gets the hook as well, unless a dependency of the library defines a function of that
 * name.
 *
 * This is done when the program looks up a symbol of a loaded library by dlsym(3), as it does
 * before it calls anything there. A library that another thread is loading meanwhile is left to the
 * next time, since its table is still being filled.
 */
#include "xbind/deepbind.h"

#include "core/sys.h"
#include "xbind/dynamic.h"
#include "xbind/hook.h"
#include "xbind/libc.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifdef __x86_64__
#define IN_TABLE   R_X86_64_GLOB_DAT
#define AT_CALL    R_X86_64_JUMP_SLOT
#define AS_A_VALUE R_X86_64_64
#elif defined(__aarch64__)
#define IN_TABLE   R_AARCH64_GLOB_DAT
#define AT_CALL    R_AARCH64_JUMP_SLOT
#define AS_A_VALUE R_AARCH64_ABS64
#endif

void hook_dlsym(void) __asm__("dlsym");
void hook_dlvsym(void) __asm__("dlvsym");
void hook_syscall(void) __asm__("syscall");

/* The names of exports.map, but for the one of 32-bit glibc. */
static const struct hook {
	const char *name;
	void *ours;
} hooks[] = {
    {"bind", (void *)hook_bind},
    {"bindresvport", (void *)hook_bindresvport},
    {"chroot", (void *)hook_chroot},
    {"dlsym", (void *)hook_dlsym},
    {"dlvsym", (void *)hook_dlvsym},
    {"epoll_create", (void *)hook_epoll_create},
    {"epoll_create1", (void *)hook_epoll_create1},
    {"epoll_ctl", (void *)hook_epoll_ctl},
    {"listen", (void *)hook_listen},
    {"rresvport", (void *)hook_rresvport},
    {"rresvport_af", (void *)hook_rresvport_af},
    {"setsockopt", (void *)hook_setsockopt},
    {"shutdown", (void *)hook_shutdown},
    {"syscall", (void *)hook_syscall},
};
#define HOOKS_COUNT (sizeof(hooks) / sizeof(hooks[0]))

/* What the names of hooks[] resolve to. */
struct found {
	void *in_libc[HOOKS_COUNT];
	bool is_ours[HOOKS_COUNT]; /* without RTLD_DEEPBIND, a lazy first call finds the hook */
};

/* What has been seen, in the counts of dl_iterate_phdr(3), which holds a lock while it calls us. */
static struct {
	unsigned long long loaded;
	unsigned long long unloaded;
	unsigned long long seen; /* of those still loaded; they come first */
} state;

/* One library or program that is loaded, and what it is to get. */
struct object {
	const struct dl_phdr_info *info;
	const struct found *found;
	const Elf64_Sym *symbols;
	const char *strings;
};

static const Elf64_Phdr *segment_of_type(const struct dl_phdr_info *info, Elf64_Word type)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == type)
			return &info->dlpi_phdr[i];
	return NULL;
}

/* Return: the loaded segment that holds the address, NULL where none does. */
static const Elf64_Phdr *segment_at(const struct dl_phdr_info *info, const void *address)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD &&
		    (uintptr_t)address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz)
			return segment;
	}
	return NULL;
}

/* Has the dynamic linker made this page read-only? Not the last one if it also holds other data. */
static bool is_page_relro(const struct dl_phdr_info *info, uintptr_t page, uintptr_t page_bytes)
{
	const Elf64_Phdr *relro = segment_of_type(info, PT_GNU_RELRO);
	const uintptr_t start = relro ? info->dlpi_addr + relro->p_vaddr : 0;
	const uintptr_t end = relro ? start + relro->p_memsz : 0;

	return page >= (start & -page_bytes) && page < (end & -page_bytes);
}

static void write_slot(const struct dl_phdr_info *info, void **slot, void *value)
{
	const uintptr_t page_bytes = getauxval(AT_PAGESZ);
	const uintptr_t page = (uintptr_t)slot & -page_bytes;
	const bool is_relro = is_page_relro(info, page, page_bytes);

	if (is_relro &&
	    SYS_CALL(SYS_mprotect, (long)page, (long)page_bytes, PROT_READ | PROT_WRITE) < 0)
		return;
	__atomic_store_n(slot, value, __ATOMIC_RELAXED);
	if (is_relro)
		SYS_CALL(SYS_mprotect, (long)page, (long)page_bytes, PROT_READ);
}

static void point(const struct object *object, const Elf64_Rela *relocation)
{
	const struct found *found = object->found;
	const Elf64_Sym *symbol = &object->symbols[ELF64_R_SYM(relocation->r_info)];
	const char *name = object->strings + symbol->st_name;
	void **slot = (void **)(object->info->dlpi_addr + relocation->r_offset);
	const Elf64_Phdr *segment = segment_at(object->info, slot);
	bool unbound;

	if (symbol->st_shndx != SHN_UNDEF || !segment || !(segment->p_flags & PF_W))
		return;
	unbound = ELF64_R_TYPE(relocation->r_info) == AT_CALL && segment_at(object->info, *slot);
	for (size_t i = 0; i < HOOKS_COUNT; i++) {
		if ((unbound ? found->is_ours[i] : *slot == found->in_libc[i]) &&
		    strcmp(name, hooks[i].name) == 0) {
			write_slot(object->info, slot, hooks[i].ours);
			return;
		}
	}
}

static void point_all(const struct object *object, const Elf64_Rela *relocations, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*relocations); i++) {
		switch (ELF64_R_TYPE(relocations[i].r_info)) {
		case IN_TABLE:
		case AT_CALL:
		case AS_A_VALUE:
			point(object, &relocations[i]);
		}
	}
}

static void look_at(const struct dl_phdr_info *info, const struct found *found)
{
	const Elf64_Phdr *dynamic = segment_of_type(info, PT_DYNAMIC);
	struct object object = {.info = info, .found = found};
	struct link_map map = {.l_addr = info->dlpi_addr};

	if (!dynamic)
		return;
	map.l_ld = (Elf64_Dyn *)(info->dlpi_addr + dynamic->p_vaddr);
	object.symbols = dynamic_table(&map, DT_SYMTAB);
	object.strings = dynamic_table(&map, DT_STRTAB);
	point_all(&object, dynamic_table(&map, DT_RELA), dynamic_value(&map, DT_RELASZ));
	point_all(&object, dynamic_table(&map, DT_JMPREL), dynamic_value(&map, DT_PLTRELSZ));
}

struct walk {
	struct found found;
	unsigned long long loaded; /* dlpi_adds when the walk began */
	unsigned long long unloaded;
	unsigned long long count; /* objects that were loaded then */
	unsigned long long index;
};

/* For dl_iterate_phdr(3). Return: 1 where nothing is new. */
static int count(struct dl_phdr_info *info, size_t size, void *data)
{
	struct walk *walk = data;

	(void)size;
	if (info->dlpi_adds == state.loaded && info->dlpi_subs == state.unloaded)
		return 1;
	walk->loaded = info->dlpi_adds;
	walk->unloaded = info->dlpi_subs;
	walk->count++;
	return 0;
}

/* New objects come last. Those that were unloaded may all be ones that had been seen. */
static void start(const struct walk *walk)
{
	const unsigned long long gone = walk->unloaded - state.unloaded;

	state.seen -= gone < state.seen ? gone : state.seen;
	state.loaded = walk->loaded;
	state.unloaded = walk->unloaded;
}

/* For dl_iterate_phdr(3). Return: 1 if something was unloaded since the count. */
static int follow(struct dl_phdr_info *info, size_t size, void *data)
{
	struct walk *walk = data;

	(void)size;
	if (info->dlpi_subs != walk->unloaded)
		return 1;
	if (walk->index == 0)
		start(walk);
	if (walk->index == walk->count || walk->index++ < state.seen)
		return 0;
	look_at(info, &walk->found);
	state.seen = walk->index;
	return 0;
}

/* Waits until nobody is loading anything, as dlopen(3) and dlsym(3) do. */
static void find(struct found *found, void *handle)
{
	for (size_t i = 0; i < HOOKS_COUNT; i++) {
		void *libc = libc_function(hooks[i].name);
		void *own = libc_dlsym(handle, hooks[i].name);

		found->in_libc[i] = libc;
		found->is_ours[i] = libc_dlsym(RTLD_DEFAULT, hooks[i].name) == hooks[i].ours &&
		                    (!own || own == libc || own == hooks[i].ours);
	}
}

/* By libc's own dl_iterate_phdr(3): one that the program defines may show an old list. */
static int visit(int (*object)(struct dl_phdr_info *, size_t, void *), struct walk *walk)
{
	static __typeof__(&dl_iterate_phdr) _Atomic of_libc;

	if (!of_libc)
		of_libc = (__typeof__(&dl_iterate_phdr))libc_function("dl_iterate_phdr");
	return of_libc ? of_libc(object, walk) : 1;
}

void deepbind_follow(void *handle)
{
	struct walk walk;

	do {
		walk = (struct walk){0};
		if (visit(count, &walk))
			return;
		find(&walk.found, handle);
	} while (visit(follow, &walk));
}

void *deepbind_hook(const char *name)
{
	for (size_t i = 0; i < HOOKS_COUNT; i++) {
		void *ours = hooks[i].ours;

		if (libc_is_same(name, hooks[i].name))
			return ours == hook_dlsym || ours == hook_dlvsym ? NULL : ours;
	}
	return NULL;
}
