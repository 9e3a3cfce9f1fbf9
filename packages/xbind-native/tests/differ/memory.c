/* SPDX-License-Identifier: MIT */
/* memory.c - values that end where readable memory ends */
#include "differ/differ.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE  4096
#define PAGES 3 /* the last one cannot be read */

void *at_the_edge(const void *bytes, size_t len, bool cut)
{
	static uint8_t *pages;
	uint8_t *at;

	if (!pages) {
		pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(pages + (PAGES - 1) * PAGE, PAGE, PROT_NONE);
	}
	at = pages + (PAGES - 1) * PAGE - len + (cut ? len / 2 : 0);
	memcpy(at, bytes, cut ? len - len / 2 : len);
	return at;
}
