/* SPDX-License-Identifier: MIT */
/* deepbind.h - the hooks for libraries loaded with RTLD_DEEPBIND, which search libc first */
#ifndef XBIND_DEEPBIND_H
#define XBIND_DEEPBIND_H

/*
 * Makes libraries that were loaded since the last call use the hooks where the dynamic linker has
 * bound them to libc's functions. @handle is one that dlopen(3) has returned.
 */
void deepbind_follow(void *handle);

/* Return: the hook of that name; NULL if there is none, and for dlsym(3) and dlvsym(3). */
void *deepbind_hook(const char *name);

#endif
