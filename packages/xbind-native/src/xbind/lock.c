/* SPDX-License-Identifier: MIT */
#include "xbind/lock.h"

#include "core/deadline.h"
#include "core/sys.h"
#include "xbind/signals.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sys/syscall.h>

#define STEP_MS 1 /* milliseconds between two looks at a lock that is taken */

/* Is it a thread of this process, or a process with the same memory, as after vfork(2)? */
static bool lives(int thread)
{
	return SYS_CALL(SYS_tgkill, sys_getpid(), thread, 0) != -ESRCH ||
	       sys_shares(KCMP_VM, thread);
}

bool lock_take(_Atomic int *holder, int longest_ms)
{
	const int self = sys_gettid();
	int other = 0;
	struct deadline deadline;

	/* The time is read only if it is needed: another library's clock_gettime(3) may look libc's
	 * up by dlsym(3), whose hook comes here. */
	if (atomic_compare_exchange_strong(holder, &other, self))
		return true;
	deadline = deadline_in(longest_ms);
	do {
		other = 0;
		if (atomic_compare_exchange_strong(holder, &other, self))
			return true;
		if (other == self)
			return false;
		if (!lives(other) && atomic_compare_exchange_strong(holder, &other, self))
			return true;
		sys_poll(-1, 0, STEP_MS);
	} while (deadline_left_ms(&deadline) > 0);
	return false;
}

void lock_give(_Atomic int *holder)
{
	atomic_store(holder, 0);
}

struct lock_turn lock_enter(_Atomic int *holder, int longest_ms)
{
	struct lock_turn turn = {.signals = signals_block()};

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &turn.cancellation);
	if (lock_take(holder, longest_ms))
		turn.held = holder;
	return turn;
}

void lock_leave(const struct lock_turn *turn)
{
	if (turn->held)
		lock_give(turn->held);
	signals_restore(turn->signals);
	pthread_setcancelstate(turn->cancellation, NULL);
}
