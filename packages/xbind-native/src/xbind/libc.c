/* SPDX-License-Identifier: MIT */
#include "xbind/libc.h"

#include "core/glibc.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stddef.h>

typedef void *dlsym_function(void *handle, const char *name);
typedef void *dlopen_function(const char *file, int flags);

/*
 * dlvsym() takes a symbol of that very version alone, so it goes past the program and every
 * library that stand in front of libc without one, and may look symbols up in theirs. Where libc
 * is the program itself, it is not behind us.
 */
static void *of_first_version(const char *name)
{
	void *found = dlvsym(RTLD_NEXT, name, FIRST_VERSION);

	return found ? found : dlvsym(RTLD_DEFAULT, name, FIRST_VERSION);
}

void *libc_dlsym(void *handle, const char *name)
{
	static dlsym_function *_Atomic find;

	if (!find)
		find = (dlsym_function *)of_first_version("dlsym");
	return find(handle, name);
}

/* libc is never given back: it stays as long as we do. */
void *libc_function(const char *name)
{
	static void *_Atomic libc;
	dlopen_function *open;

	if (!libc) {
		open = (dlopen_function *)of_first_version("dlopen");
		libc = open ? open(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	}
	return libc ? libc_dlsym(libc, name) : NULL;
}
