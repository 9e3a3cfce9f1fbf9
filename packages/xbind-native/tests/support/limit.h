/* SPDX-License-Identifier: MIT */
/* limit.h - how many descriptors may be open */
#ifndef SUPPORT_LIMIT_H
#define SUPPORT_LIMIT_H

#include "test.h"

#include <sys/resource.h>

/* Sets the soft limit. Return: the one before. */
static inline rlim_t limit_fds(rlim_t most)
{
	struct rlimit limit;
	rlim_t before;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = most;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

/* Sets the hard limit, too, from where the library cannot raise the other one again. */
static inline void limit_fds_for_good(rlim_t most)
{
	const struct rlimit limit = {most, most};

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

#endif
