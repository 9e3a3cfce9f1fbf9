/* SPDX-License-Identifier: MIT */
/* enter.c - sys_call() for a library that stands in front of syscall(2) itself */
#include "core/sys.h"
#include "xbind/real.h"

#include <errno.h>

long sys_call(long number, const long args[6])
{
	real_syscall_function *next = real_syscall();
	int saved = errno;
	long rc;

	if (!next)
		return -ENOSYS;
	rc = next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (rc != -1)
		return rc;
	rc = -errno;
	errno = saved;
	return rc;
}
