/* SPDX-License-Identifier: MIT */
/* number.h - reading a decimal number */
#ifndef CORE_NUMBER_H
#define CORE_NUMBER_H

#include <limits.h>
#include <stdint.h>

/*
 * Takes digits alone. Not by strtol(3), which depends on the locale, is not async-signal-safe, and
 * compiled against glibc 2.38 or newer needs that version to run.
 * Return: the number, -1 if the text is not one from 0 to INT_MAX.
 */
static inline int number_parse(const char *text)
{
	int64_t value = *text ? 0 : -1;

	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > INT_MAX)
			return -1;
	}
	return (int)value;
}

#endif
