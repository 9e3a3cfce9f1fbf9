/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - what can be read where memory is tagged
 *
 * On arm64 a pointer may carry a tag, and the kernel then reads only memory with the same tag, in
 * granules of 16 bytes: the object, but not the rest of its page. The kernel simulated here applies
 * this to every pointer.
 */
#include "test.h"

#include "core/sys.h"
#include "xbind/memory.h"

#include <stdint.h>
#include <sys/syscall.h>

#define PAGE_BYTES    4096
#define GRANULE_BYTES 16

static uint8_t pages[2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static size_t first, last; /* first and last granule of the object */

/* Offset of an address into the pages, without its tag. */
static uintptr_t place_of(long address)
{
#ifdef __aarch64__
	address &= (1L << 56) - 1;
#endif
	return (uintptr_t)address - (uintptr_t)pages;
}

long sys_call(long number, const long args[6])
{
	CHECK_EQ(number, SYS_rt_sigprocmask);
	if (place_of(args[1]) / GRANULE_BYTES < first || place_of(args[1]) / GRANULE_BYTES > last)
		return -EFAULT;
	return -EINVAL;
}

/* Makes the object, of so many bytes at an offset. */
static const uint8_t *put(size_t at, size_t bytes)
{
	first = at / GRANULE_BYTES;
	last = (at + bytes - 1) / GRANULE_BYTES;
	memset(pages, 0, sizeof(pages));
	memset(pages + at, 1, bytes);
	return pages + at;
}

static void check_readable(size_t at, size_t bytes)
{
	const uint8_t *object = put(at, bytes);
	uint8_t copy[64];

	CHECK_EQ(memory_readable(object, bytes), bytes);
	CHECK_EQ(memory_read(copy, object, bytes), 0);
	CHECK(memcmp(copy, object, bytes) == 0);
}

static void test_object(void)
{
	check_readable(0, 16);
	check_readable(160, 28);
	check_readable(168, 16);
	check_readable(PAGE_BYTES - 1, 1);
}

static void test_two_pages(void)
{
	check_readable(PAGE_BYTES - 16, 28);
	check_readable(PAGE_BYTES - 4, 16);
}

static void test_nothing(void)
{
	put(160, 28);
	CHECK_EQ(memory_readable(pages + 96, 16), 0);
	CHECK_EQ(memory_readable(NULL, 16), 0);
}

/* Reading past the object fails; the processor itself would raise a signal. */
static void test_too_long(void)
{
#ifdef __aarch64__
	const uintptr_t tag = UINT64_C(5) << 56;
	uint8_t copy[128];

	CHECK_EQ(memory_readable((const void *)((uintptr_t)put(160, 28) | tag), 128), 32);
	CHECK_EQ(memory_readable((const void *)((uintptr_t)put(168, 8) | tag), 128), 8);
	CHECK_EQ(memory_read(copy, (const void *)((uintptr_t)put(160, 28) | tag), 33), -EFAULT);
	CHECK_EQ(memory_read(copy, (const void *)((uintptr_t)put(160, 28) | tag), 28), 0);
#endif
}

int main(void)
{
	RUN(test_object);
	RUN(test_two_pages);
	RUN(test_nothing);
	RUN(test_too_long);
	return 0;
}
