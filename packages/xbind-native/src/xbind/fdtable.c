/* SPDX-License-Identifier: MIT */
#include "xbind/fdtable.h"

#include "core/sys.h"
#include "xbind/procfs.h"

#include <linux/kcmp.h>
#include <pthread.h>
#include <sys/syscall.h>

#define LOOKED_AT_FDS 65536 /* numbers, where /proc does not tell how many there are */

/* Only note_process() sets it: the child of vfork(2) has this memory, too. */
static int owner; /* the process whose memory this is, and its first thread */

/* The last other process with this memory, and the last other thread, that noted a number. */
static _Atomic int guest, thread;

/* How often others than the owner have noted numbers, and what that was when the last look at all
 * threads began that found none with a table of its own. */
static _Atomic unsigned noted, looked;

static void note_process(void)
{
	owner = sys_getpid();
}

void fdtable_load(void)
{
	note_process();
	pthread_atfork(NULL, NULL, note_process);
}

/*
 * False where kcmp(2) is refused, and for a thread that has ended, which shares neither any more.
 * KCMP_VM comes second, since a thread that is ending gives up its memory first.
 */
bool fdtable_is_apart_from(int other)
{
	return !sys_shares(KCMP_FILES, other) && sys_shares(KCMP_VM, other);
}

/* kcmp(2) is not asked before it matters, since a seccomp filter may kill the program for it. */
void fdtable_note(void)
{
	const int self = sys_gettid();
	int process;

	if (self == owner)
		return;
	process = sys_getpid();
	if (process != owner)
		guest = process;
	else
		thread = self;
	noted++;
}

static bool is_apart(int other, int unused)
{
	(void)unused;
	return fdtable_is_apart_from(other);
}

/* Where /proc cannot tell which threads there are, only the last one that noted a number counts. */
static bool are_noted_apart(void)
{
	const unsigned before = noted;
	int rc;

	if (thread && fdtable_is_apart_from(thread))
		return true;
	if (before == looked)
		return false;
	rc = procfs_each_thread(is_apart, 0);
	if (rc == 0)
		looked = before;
	return rc > 0;
}

bool fdtable_has_others(void)
{
	const int first = fdtable_is_owners() ? owner : (int)SYS_CALL(SYS_getppid);

	return (sys_gettid() != first && fdtable_is_apart_from(first)) ||
	       (guest && fdtable_is_apart_from(guest)) || are_noted_apart();
}

bool fdtable_is_owners(void)
{
	return sys_getpid() == owner;
}

/* Not the soft limit, which may have been lowered below numbers that are open. */
int fdtable_end(void)
{
	uint64_t limits[2] = {LOOKED_AT_FDS, LOOKED_AT_FDS};
	int end = procfs_fd_end();

	if (end >= 0)
		return end;
	sys_descriptor_limits(limits);
	return limits[1] < LOOKED_AT_FDS ? (int)limits[1] : LOOKED_AT_FDS;
}
