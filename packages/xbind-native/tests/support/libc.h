/* SPDX-License-Identifier: MIT */
/* libc.h - libc's own functions, looked up past whatever is preloaded */
#ifndef SUPPORT_LIBC_H
#define SUPPORT_LIBC_H

#include <dlfcn.h>
#include <sys/epoll.h>
#ifdef __GLIBC__
#include <gnu/lib-names.h>
#else
#define LIBC_SO "libc.so" /* as musl knows itself */
#endif

/* glibc's first one, where libxbind follows dlsym() */
#if defined(__GLIBC__) && defined(__x86_64__)
#define LIBC_VERSION "GLIBC_2.2.5"
#elif defined(__GLIBC__) && defined(__aarch64__)
#define LIBC_VERSION "GLIBC_2.17"
#endif

static inline void *libc_symbol(const char *name)
{
	return dlsym(dlopen(LIBC_SO, RTLD_NOW), name);
}

/* The same by libc's own dlsym(), which libxbind does not follow. */
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

/* An epoll set that libxbind does not see made. */
static inline int libc_unseen_set(void)
{
	return ((int (*)(int))libc_unfollowed("epoll_create1"))(EPOLL_CLOEXEC);
}

#endif
