/* SPDX-License-Identifier: MIT */
/* byway_dlsym.c - dlsym(3) and dlvsym(3) for a program that looks a hooked function up in libc */
#include "xbind/byway.h"

#include "xbind/config.h"
#include "xbind/deepbind.h"
#include "xbind/libc.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

typedef void *find_function(void *handle, const char *name);
typedef void *find_version_function(void *handle, const char *name, const char *version);

/* Where hook_dlsym.S jumps to: the functions that the caller would reach without us. */
find_function *_Atomic byway_dlsym;
find_version_function *_Atomic byway_dlvsym;

/* Called by hook_dlsym.S. Return: the symbol for the caller, NULL to leave it to those functions.
 */
void *byway_find(void *handle, const char *name);
void *byway_find_version(void *handle, const char *name, const char *version);

/*
 * The hook, unless another library stands between it and libc. The hook would call that one, which
 * may be the very library that looks libc's function up.
 */
static void *hook_of(const char *name)
{
	void *hook = deepbind_hook(name);

	return hook && libc_dlsym(RTLD_NEXT, name) == libc_function(name) ? hook : NULL;
}

static void *instead_of(const char *name)
{
	if (!config_is_first())
		return NULL;
	if (libc_is_same(name, "bind"))
		return (void *)byway_bind;
	if (libc_is_same(name, "listen"))
		return (void *)byway_listen;
	if (libc_is_same(name, "syscall"))
		return (void *)byway_syscall;
	return hook_of(name);
}

static void follow(void *handle)
{
	if (handle != RTLD_NEXT && handle != RTLD_DEFAULT && config_any())
		deepbind_follow(handle);
}

/*
 * With RTLD_NEXT a library behind this one asks for the function that it wraps, and gets that. Any
 * other search finds either the hooks by itself, or libc's function, which is replaced.
 */
void *byway_find(void *handle, const char *name)
{
	void *instead = handle == RTLD_NEXT ? NULL : instead_of(name);

	if (!byway_dlsym)
		byway_dlsym = (find_function *)libc_dlsym(RTLD_NEXT, "dlsym");
	follow(handle);
	return instead && byway_dlsym(handle, name) == libc_function(name) ? instead : NULL;
}

/*
 * A search for one of libc's versions skips symbols that have no version, such as the hooks. So
 * RTLD_NEXT finds the same from in front of this library and from behind it.
 */
void *byway_find_version(void *handle, const char *name, const char *version)
{
	void *instead = instead_of(name);

	if (!byway_dlvsym)
		byway_dlvsym = (find_version_function *)libc_dlsym(RTLD_NEXT, "dlvsym");
	follow(handle);
	return instead && byway_dlvsym(handle, name, version) == libc_function(name) ? instead
	                                                                             : NULL;
}
