/* SPDX-License-Identifier: MIT */
/* libc.h - libc's own functions, looked up behind all preloaded libraries */
#ifndef SUPPORT_LIBC_H
#define SUPPORT_LIBC_H

#include <dlfcn.h>
#include <sys/epoll.h>
#ifdef __GLIBC__
#include <gnu/lib-names.h>
#else
#define LIBC_SO "libc.so" /* musl's own name */
#endif

/* glibc's first version, where libxbind hooks dlsym() */
#if defined(__GLIBC__) && defined(__x86_64__)
#define LIBC_VERSION "GLIBC_2.2.5"
#elif defined(__GLIBC__) && defined(__aarch64__)
#define LIBC_VERSION "GLIBC_2.17"
#endif

static inline void *libc_symbol(const char *name)
{
	return dlsym(dlopen(LIBC_SO, RTLD_NOW), name);
}

/* Looks it up by libc's own dlsym(), which libxbind does not hook. */
static inline void *libc_unfollowed(const char *name)
{
#ifdef LIBC_VERSION
	void *(*find)(void *, const char *) =
	    (void *(*)(void *, const char *))dlvsym(RTLD_DEFAULT, "dlsym", LIBC_VERSION);

	return find(dlopen(LIBC_SO, RTLD_NOW), name);
#else
	return libc_symbol(name);
#endif
}

/* Makes an epoll set without libxbind's knowledge. */
static inline int libc_unseen_set(void)
{
	return ((int (*)(int))libc_unfollowed("epoll_create1"))(EPOLL_CLOEXEC);
}

#endif
