/* SPDX-License-Identifier: MIT */
#include "xbind/signals.h"

#include "core/sys.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>

/* To the kernel a signal set is an array of longs, which is no uint64_t on 32-bit big-endian. */
static uint64_t set_of(int number)
{
	const unsigned bits = 8 * sizeof(long), bit = (unsigned)number - 1;
	union {
		unsigned long words[sizeof(uint64_t) / sizeof(long)];
		uint64_t all;
	} set = {.all = 0};

	set.words[bit / bits] = 1UL << bit % bits;
	return set.all;
}

static bool is_handled(int number)
{
	struct {
		void (*handler)(int);
		uint64_t rest[4]; /* flags, mask and what else a machine has */
	} action;

	return SYS_CALL(SYS_rt_sigaction, number, 0, (long)&action, sizeof(uint64_t)) < 0 ||
	       action.handler != SIG_DFL;
}

/* Raised by what the thread itself does. If one is raised while it is blocked, the kernel kills the
 * program, even one that handles its page faults or the SIGSYS of its seccomp filter. */
static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

/* What ends or stops a program from outside. */
static const int endings[] = {SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

uint64_t signals_block(void)
{
	uint64_t set = ~UINT64_C(0);
	uint64_t before = 0;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		set &= ~set_of(faults[i]);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (!is_handled(endings[i]))
			set &= ~set_of(endings[i]);
	}
	SYS_CALL(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, (long)&before, sizeof(set));
	return before;
}

void signals_restore(uint64_t mask)
{
	SYS_CALL(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask));
}

void signals_drop(int number)
{
	const uint64_t one = set_of(number);
	const int64_t at_once[2] = {0, 0}; /* the seconds have 32 bits or 64 */

	SYS_CALL(SYS_rt_sigtimedwait, (long)&one, 0, (long)at_once, sizeof(one));
}
