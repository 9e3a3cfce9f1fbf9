/* SPDX-License-Identifier: MIT */
/*
 * hook_syscall.c - syscall(2) for bind and listen; every other number goes on to libc's
 *
 * It has seven arguments instead of as many as the caller gives, which the calling conventions
 * allow: so the compiler turns the last call into a jump, and a call that returns twice or on
 * another stack, such as clone(2), returns to the program itself.
 */
#include "core/visibility.h"
#include "xbind/byway.h"
#include "xbind/hook.h"
#include "xbind/real.h"

#include <errno.h>
#include <sys/syscall.h>

EXPORT long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	real_syscall_function *next = real_syscall();

	if (number == SYS_bind)
		return byway_bind((int)a, (const void *)b, (socklen_t)c);
	if (number == SYS_listen)
		return byway_listen((int)a, (int)b);
	if (next)
		return next(number, a, b, c, d, e, f);
	errno = ENOSYS;
	return -1;
}
