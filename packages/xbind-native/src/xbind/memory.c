/* SPDX-License-Identifier: MIT */
/*
 * memory.c - asking the kernel whether memory can be read
 *
 * How it works: rt_sigprocmask(2) copies the eight bytes of its new mask in before it looks at what
 * to do with them, so with an operation that does not exist it changes nothing and tells EFAULT
 * from EINVAL. It is cheap, takes no descriptor and is allowed by every seccomp filter that lets a
 * C program run. It is asked about the object itself, not about the start of its page: on arm64 the
 * kernel reads by a pointer only what has the tag of that pointer.
 *
 * Under Valgrind it is asked last: up to 16 bytes before the object may be uninitialised, which
 * Memcheck reports as an error of the program, and every tool prints a line about the operation.
 * madvise(2) and process_vm_readv(2) pass in silence. They are not used elsewhere, since they cost
 * more, an emulator accepts any advice, kernels before 5.14 and those with larger pages refuse this
 * one, and some containers forbid process_vm_readv(2).
 */
#include "xbind/memory.h"

#include "core/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* since Linux 5.14 */
#endif

#define PAGE_BYTES_MIN   4096 /* the smallest page of any Linux */
#define GRANULE_BYTES    16   /* that have one tag, on arm64 */
#define TAG_SHIFT        56   /* bits; above them is a pointer's tag, on arm64 */
#define NO_SUCH_MASK_OP  (-1)
#define KERNEL_SET_BYTES 8 /* the kernel's sigset_t */

_Static_assert(PAGE_BYTES_MIN % GRANULE_BYTES == 0, "a granule is in one page");
_Static_assert(GRANULE_BYTES % KERNEL_SET_BYTES == 0, "a probe looks at one granule");

/* A function of the library that Valgrind loads into every program; elsewhere there is none. */
extern void _vgnU_freeres(void) __attribute__((weak, visibility("default")));

static bool is_readable_in_valgrind(uintptr_t granule)
{
	const uintptr_t page = granule - granule % PAGE_BYTES_MIN;
	char byte;
	const struct iovec to = {&byte, 1}, from = {(void *)granule, 1};

	if (!_vgnU_freeres)
		return false;
	return SYS_CALL(SYS_madvise, (long)page, PAGE_BYTES_MIN, MADV_POPULATE_READ) == 0 ||
	       SYS_CALL(SYS_process_vm_readv, sys_getpid(), (long)&to, 1, (long)&from, 1, 0) == 1;
}

/* NULL would mean "no new mask" there. */
static bool is_readable_to_kernel(uintptr_t granule)
{
	return granule && SYS_CALL(SYS_rt_sigprocmask, NO_SUCH_MASK_OP, (long)granule, 0,
	                           KERNEL_SET_BYTES) != -EFAULT;
}

/* The size of what can be read or not as a whole; it is aligned to that size. */
static size_t unit_of(uintptr_t pointer)
{
#ifdef __aarch64__
	if (pointer >> TAG_SHIFT)
		return GRANULE_BYTES;
#endif
	(void)pointer;
	return PAGE_BYTES_MIN;
}

size_t memory_readable(const void *at, size_t len)
{
	const uintptr_t first = (uintptr_t)at;
	const size_t unit = unit_of(first);
	uintptr_t next = first - first % GRANULE_BYTES;
	size_t readable = 0;

	while (readable < len && (is_readable_in_valgrind(next) || is_readable_to_kernel(next))) {
		next += unit - next % unit;
		readable = next - first;
	}
	return readable < len ? readable : len;
}

int memory_read(void *to, const void *from, size_t len)
{
	if (memory_readable(from, len) < len)
		return -EFAULT;
	memcpy(to, from, len);
	return 0;
}
