/* SPDX-License-Identifier: MIT */
/* libc.h - libc's own functions, whatever other libraries define; only where dlsym(3) is hooked */
#ifndef XBIND_LIBC_H
#define XBIND_LIBC_H

#include <stdbool.h>

/* Calls libc's dlsym(3). RTLD_NEXT means behind this library. */
void *libc_dlsym(void *handle, const char *name);

/* Return: libc's function of that name, NULL where it has none. */
void *libc_function(const char *name);

/* Not strcmp(): that of a sanitizer calls dlsym(), which is hooked. */
static inline bool libc_is_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

#endif
