/* SPDX-License-Identifier: MIT */
/* libc.h - libc's own functions, looked up past whatever is preloaded */
#ifndef SUPPORT_LIBC_H
#define SUPPORT_LIBC_H

#include <dlfcn.h>
#ifdef __GLIBC__
#include <gnu/lib-names.h>
#else
#define LIBC_SO "libc.so" /* as musl knows itself */
#endif

#ifdef __x86_64__
#define DLSYM_VERSION "GLIBC_2.2.5"
#else
#define DLSYM_VERSION "GLIBC_2.17"
#endif

static inline void *libc_symbol(const char *name)
{
	return dlsym(dlopen(LIBC_SO, RTLD_NOW), name);
}

/* The same where libxbind follows dlsym(): dlvsym() it does not. */
static inline void *libc_unfollowed(const char *name)
{
#if defined(__GLIBC__) && __SIZEOF_POINTER__ == 8
	return dlvsym(dlopen(LIBC_SO, RTLD_NOW), name, DLSYM_VERSION);
#else
	return libc_symbol(name);
#endif
}

#endif
