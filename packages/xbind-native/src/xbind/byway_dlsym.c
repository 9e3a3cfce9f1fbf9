/* SPDX-License-Identifier: MIT */
/* byway_dlsym.c - what dlsym(3) finds for a program that looks bind, listen or syscall up in libc
 */
#include "xbind/byway.h"

#include "core/glibc.h"
#include "xbind/config.h"
#include "xbind/deepbind.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stdbool.h>
#include <stddef.h>

typedef void *find_function(void *handle, const char *name);
typedef void *open_function(const char *file, int flags);

/* Where hook_dlsym.S jumps to: the dlsym that would be there without us. */
find_function *_Atomic byway_dlsym;

/* Asked by hook_dlsym.S. Return: what dlsym() is to give, NULL to leave it to byway_dlsym. */
void *byway_find(void *handle, const char *name);

/* strcmp() for equality alone: a sanitizer calls dlsym() to find its strcmp(). */
static bool is(const char *name, const char *wanted)
{
	while (*name && *name == *wanted) {
		name++;
		wanted++;
	}
	return *name == *wanted;
}

static void *instead_of(const char *name)
{
	if (is(name, "bind"))
		return (void *)byway_bind;
	if (is(name, "listen"))
		return (void *)byway_listen;
	if (is(name, "syscall"))
		return (void *)byway_syscall;
	return NULL;
}

/*
 * libc's own. dlvsym() takes a symbol of that very version alone, so it goes past the program and
 * every library that stand in front of it without one, and may look symbols up in theirs. Where
 * libc is the program itself, it is not behind us.
 */
static void *libc_function(const char *name)
{
	void *found = dlvsym(RTLD_NEXT, name, FIRST_VERSION);

	return found ? found : dlvsym(RTLD_DEFAULT, name, FIRST_VERSION);
}

void *byway_in(void *handle, const char *name)
{
	static find_function *_Atomic find;

	if (!find)
		find = (find_function *)libc_function("dlsym");
	return find(handle, name);
}

/* Never given back: libc stays as long as we do. */
void *byway_in_libc(const char *name)
{
	static void *_Atomic libc;
	open_function *open;

	if (!libc) {
		open = (open_function *)libc_function("dlopen");
		libc = open ? open(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	}
	return libc ? byway_in(libc, name) : NULL;
}

/*
 * A library behind this one asks RTLD_NEXT for what it stands in front of, and gets just that. Any
 * other search either finds the hooks by itself, or libc's function, which is replaced.
 */
void *byway_find(void *handle, const char *name)
{
	void *instead = handle == RTLD_NEXT ? NULL : instead_of(name);
	void *symbol;

	if (!byway_dlsym)
		byway_dlsym = (find_function *)byway_in(RTLD_NEXT, "dlsym");
	if (handle != RTLD_NEXT && handle != RTLD_DEFAULT && config_any())
		deepbind_follow(handle);
	if (!instead)
		return NULL;
	symbol = byway_dlsym(handle, name);
	return symbol && symbol == byway_in_libc(name) ? instead : NULL;
}
