/* SPDX-License-Identifier: MIT */
/* memory.h - reading what an application's pointer points at, which may be nothing */
#ifndef XBIND_MEMORY_H
#define XBIND_MEMORY_H

#include <stddef.h>

#define MEMORY_READ_MAX 4096 /* bytes; no more than two pages are then touched */
#define MEMORY_READ_MIN 8    /* bytes */

/**
 * memory_read() - copy bytes as the kernel would, without a signal when they cannot be read
 * @to:   where to
 * @from: the application's pointer, any value
 * @len:  bytes, MEMORY_READ_MIN to MEMORY_READ_MAX
 *
 * Return: 0, -EFAULT when @from cannot be read; then nothing is written.
 */
int memory_read(void *to, const void *from, size_t len);

#endif
