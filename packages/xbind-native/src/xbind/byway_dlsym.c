/* SPDX-License-Identifier: MIT */
/* byway_dlsym.c - dlsym(3) for a program that looks bind, listen or syscall up in libc */
#include "xbind/byway.h"

#include "xbind/config.h"
#include "xbind/deepbind.h"
#include "xbind/libc.h"

#include <dlfcn.h>
#include <stddef.h>

typedef void *find_function(void *handle, const char *name);

/* Where hook_dlsym.S jumps to: the dlsym that would be there without us. */
find_function *_Atomic byway_dlsym;

/* Asked by hook_dlsym.S. Return: what dlsym() is to give, NULL to leave it to byway_dlsym. */
void *byway_find(void *handle, const char *name);

static void *instead_of(const char *name)
{
	if (libc_is_same(name, "bind"))
		return (void *)byway_bind;
	if (libc_is_same(name, "listen"))
		return (void *)byway_listen;
	if (libc_is_same(name, "syscall"))
		return (void *)byway_syscall;
	return NULL;
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
		byway_dlsym = (find_function *)libc_dlsym(RTLD_NEXT, "dlsym");
	if (handle != RTLD_NEXT && handle != RTLD_DEFAULT && config_any())
		deepbind_follow(handle);
	if (!instead)
		return NULL;
	symbol = byway_dlsym(handle, name);
	return symbol && symbol == libc_function(name) ? instead : NULL;
}
