/* SPDX-License-Identifier: MIT */
/* number.h - reading and writing a decimal number */
#ifndef CORE_NUMBER_H
#define CORE_NUMBER_H

#include <limits.h>
#include <stddef.h>
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

#define NUMBER_DIGITS (3 * sizeof(long)) /* enough for any */

/* Writes the digits, without a NUL. Return: how many. */
static inline size_t number_write(unsigned long number, char digits[NUMBER_DIGITS])
{
	size_t count = 1;

	for (unsigned long rest = number; rest >= 10; rest /= 10)
		count++;
	for (size_t i = count; i-- > 0; number /= 10)
		digits[i] = (char)('0' + number % 10);
	return count;
}

#endif
