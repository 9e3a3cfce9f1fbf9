/* SPDX-License-Identifier: MIT */
/* memory.h - reading through a pointer of the application's, which may point nowhere */
#ifndef XBIND_MEMORY_H
#define XBIND_MEMORY_H

#include <stddef.h>

/**
 * memory_readable() - how much of what a pointer points at can be read
 * @at:  the application's pointer, any value
 * @len: bytes
 *
 * Return: bytes from @at on that can be read, at most @len.
 */
size_t memory_readable(const void *at, size_t len);

/**
 * memory_read() - copy bytes as the kernel would, without a signal when they cannot be read
 * @to:   where to
 * @from: the application's pointer, any value
 * @len:  bytes
 *
 * Return: 0, -EFAULT when @from cannot be read; then nothing is written.
 */
int memory_read(void *to, const void *from, size_t len);

#endif
