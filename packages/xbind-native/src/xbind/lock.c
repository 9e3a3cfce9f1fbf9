/* SPDX-License-Identifier: MIT */
#include "xbind/lock.h"

#include "core/sys.h"

#define STEP_MS 1 /* milliseconds between two looks at a lock that is taken */

bool lock_take(_Atomic int *holder, int longest_ms)
{
	int self = sys_thread_id();

	for (int waited = 0; waited < longest_ms; waited += STEP_MS) {
		int other = 0;

		if (atomic_compare_exchange_strong(holder, &other, self))
			return true;
		if (other == self)
			return false;
		if (!sys_thread_exists(other) &&
		    atomic_compare_exchange_strong(holder, &other, self))
			return true;
		sys_poll(-1, 0, STEP_MS);
	}
	return false;
}

void lock_give(_Atomic int *holder)
{
	atomic_store(holder, 0);
}
