/* SPDX-License-Identifier: MIT */
/* own_shutdown.c - a library with a function that is named like one of libc */
#include "core/visibility.h"

int shutdown(const char *word);

EXPORT int shutdown(const char *word)
{
	return word[0];
}
