/* SPDX-License-Identifier: MIT */
/*
 * glibc.h - linking functions by the symbol versions that old releases of glibc have
 *
 * Linked against glibc 2.34 or newer, a library asks for dlerror@GLIBC_2.34 and cannot be loaded in
 * the container of an older system, though the function is the same. Linked by its first version,
 * the library can be loaded there. For files of the shared libraries that call one of these
 * functions. Old releases have them in libdl.so.2 and libpthread.so.0, which CMake links
 * (xsocket_link_former).
 */
#ifndef CORE_GLIBC_H
#define CORE_GLIBC_H

#include <features.h>

#ifdef __GLIBC__
#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#endif
#endif

#ifdef FIRST_VERSION
#define BY_FIRST_VERSION(NAME) __asm__(".symver " #NAME "," #NAME "@" FIRST_VERSION)
BY_FIRST_VERSION(dlerror);
BY_FIRST_VERSION(pthread_create);
BY_FIRST_VERSION(pthread_join);
BY_FIRST_VERSION(pthread_sigmask);
#endif

#endif
