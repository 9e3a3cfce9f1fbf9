/* SPDX-License-Identifier: MIT */
/* libc.h - libc's own functions, past all libraries in front of it; where dlsym(3) is hooked */
#ifndef XBIND_LIBC_H
#define XBIND_LIBC_H

#include <stdbool.h>

/* What libc's dlsym(3) finds; by RTLD_NEXT behind this library. */
void *libc_dlsym(void *handle, const char *name);

/* Return: libc's function of that name, NULL where it has none. */
void *libc_function(const char *name);

/* strcmp() for equality alone: a sanitizer calls dlsym() to find its strcmp(). */
static inline bool libc_is_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

#endif
