/* SPDX-License-Identifier: MIT */
/*
 * sys_call.c - sys_call() for a library that stands in front of syscall(2) itself
 *
 * It uses libc's own syscall. That of another library may call a bind that it has looked up in
 * libc, which is our hook where dlsym is hooked, and that would come back here without end.
 */
#include "core/sys.h"
#include "xbind/real.h"

#include <errno.h>

long sys_call(long number, const long args[6])
{
	const int saved = errno;
	real_syscall_function *enter = real_syscall_of_libc();
	long rc;

	if (!enter)
		return -ENOSYS;
	rc = enter(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (rc != -1)
		return rc;
	rc = -errno;
	errno = saved;
	return rc;
}
