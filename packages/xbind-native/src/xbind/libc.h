/* SPDX-License-Identifier: MIT */
/* libc.h - libc's own functions, whoever stands in front of them; where dlsym(3) is hooked */
#ifndef XBIND_LIBC_H
#define XBIND_LIBC_H

/* What libc's dlsym(3) finds; by RTLD_NEXT behind this library. */
void *libc_dlsym(void *handle, const char *name);

/* Return: libc's function of that name, NULL where it has none. */
void *libc_function(const char *name);

#endif
