/* SPDX-License-Identifier: MIT */
#include "xbind/renumber.h"

#include "core/sys.h"
#include "xbind/key.h"
#include "xbind/lock.h"
#include "xbind/moved.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int set_limits(const uint64_t limits[2])
{
	return (int)SYS_CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)limits, 0);
}

/*
 * A program may lower its limit below numbers that it has open. They go on working, but dup3(2)
 * refuses them. So it is raised for this call, which the hard limit may allow.
 */
static int dup_beyond(int fd, int to, int flags)
{
	uint64_t limits[2], raised[2];
	int rc = sys_descriptor_limits(limits);

	if (rc < 0 || limits[0] > (uint64_t)to)
		return -EBADF;
	raised[0] = (uint64_t)to + 1;
	raised[1] = limits[1];
	if (set_limits(raised) < 0)
		return -EMFILE;
	rc = sys_dup3(fd, to, flags);
	set_limits(limits);
	return rc;
}

/* One thread at a time: another one would take the raised limit for the program's. */
static int renumber_beyond(int fd, int to, int flags)
{
	static _Atomic int holder;
	const struct lock_turn turn = lock_enter(&holder, LOCK_LONGEST_MS);
	const int rc = dup_beyond(fd, to, flags);

	lock_leave(&turn);
	return rc;
}

int renumber(int fd, int to, int flags)
{
	int rc = sys_dup3(fd, to, flags);

	if (rc == -EBADF)
		rc = renumber_beyond(fd, to, flags);
	if (rc < 0)
		return rc;
	moved_note(key_of(fd), to);
	return 0;
}
