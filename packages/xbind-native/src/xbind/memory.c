/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the kernel is asked whether memory can be read
 *
 * How it works: rt_sigprocmask(2) copies the eight bytes of its new mask in before it looks at what
 * to do with them, so with an operation that does not exist it changes nothing and tells EFAULT
 * from EINVAL. It is cheap, takes no descriptor and is allowed by every seccomp filter that lets a
 * C program run.
 */
#include "xbind/memory.h"

#include "core/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#define PAGE_BYTES_MIN   4096 /* the smallest page of any Linux */
#define NO_SUCH_MASK_OP  (-1)
#define KERNEL_SET_BYTES 8 /* the kernel's sigset_t */

_Static_assert(MEMORY_READ_MIN == KERNEL_SET_BYTES, "a probe must not look past the end");

/* NULL would mean "no new mask" there. */
static bool is_readable(const char *at)
{
	return at && sys_call(SYS_rt_sigprocmask, (const long[6]){NO_SUCH_MASK_OP, (long)at, 0,
	                                                          KERNEL_SET_BYTES}) != -EFAULT;
}

int memory_read(void *to, const void *from, size_t len)
{
	const char *first = from;
	const char *last = (const char *)((uintptr_t)first + len - KERNEL_SET_BYTES);

	if (!is_readable(first))
		return -EFAULT;
	/* The second probe is for a range that reaches into another page. */
	if (((uintptr_t)first ^ ((uintptr_t)first + len - 1)) >= PAGE_BYTES_MIN &&
	    !is_readable(last))
		return -EFAULT;
	memcpy(to, from, len);
	return 0;
}
