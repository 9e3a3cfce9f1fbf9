/* SPDX-License-Identifier: MIT */
#include "xbind/table.h"

#include "core/sys.h"
#include "xbind/procfs.h"

#include <linux/kcmp.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define LOOKED_AT_FDS 65536 /* numbers, where /proc does not tell how many there are */

static _Atomic bool are_apart; /* threads have tables of their own, or had */

/* Only a look in the constructor sets it: the child of vfork(2) has this memory, too. */
static __thread bool leads __attribute__((tls_model("initial-exec")));

void table_load(void)
{
	leads = sys_gettid() == sys_getpid();
}

/* Where kcmp(2) is refused nothing is known, and a thread that has ended has neither any more. */
static bool is_apart_from(int other)
{
	return sys_shares(KCMP_VM, other) && !sys_shares(KCMP_FILES, other);
}

void table_note(void)
{
	if (!leads && !are_apart && is_apart_from(sys_getpid()))
		are_apart = true;
}

bool table_is_shared(void)
{
	table_note();
	return are_apart || is_apart_from(sys_getppid());
}

/* The soft limit does not tell: it may have been lowered since. */
int table_end(void)
{
	uint64_t limits[2] = {LOOKED_AT_FDS, LOOKED_AT_FDS};
	int end = procfs_fd_end();

	if (end >= 0)
		return end;
	sys_prlimit64(RLIMIT_NOFILE, NULL, limits);
	return limits[1] < LOOKED_AT_FDS ? (int)limits[1] : LOOKED_AT_FDS;
}
