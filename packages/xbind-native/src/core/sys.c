/* SPDX-License-Identifier: MIT */
#include "core/sys.h"

#include <errno.h>
#include <unistd.h>

long sys_call(long number, const long args[6])
{
	int saved = errno;
	long rc = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);

	if (rc != -1)
		return rc;
	rc = -errno;
	errno = saved;
	return rc;
}
