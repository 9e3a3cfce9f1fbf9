/* SPDX-License-Identifier: MIT */
/*
 * tick.c - a timer that interrupts a serving thread
 *
 * How it works: a descriptor that comes with a packet and is not wanted is closed by the kernel, in
 * the thread that reads the packet. That close can block: for a TCP socket with unsent data as long
 * as its owner has chosen by SO_LINGER. A signal ends the wait, and one that is pending prevents
 * it. So a timer sends the thread one at intervals while it is at work; the handler does nothing.
 */
#include "xsocket/private.h"

#include "core/glibc.h"
#include "core/sys.h"
#include "core/visibility.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef SIGEV_THREAD_ID
#define SIGEV_THREAD_ID 4
#endif
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* glibc has no name for it */
#endif

#define TICK_SIGNAL (SIGRTMAX - 3) /* any one that nothing else uses */

static void do_nothing(int signal)
{
	(void)signal;
}

/*
 * The handler is the process's: one that is there already is the program's own, and stays. A signal
 * that is ignored may have been so since before exec, and gets our handler.
 */
static int handle_signal(void)
{
	struct sigaction action = {
	    .sa_handler = do_nothing,
	    .sa_flags = SA_RESTART | SA_ONSTACK,
	};
	struct sigaction before;

	if (sigaction(TICK_SIGNAL, NULL, &before) < 0)
		return -errno;
	if (before.sa_handler == do_nothing)
		return 0;
	if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		return -EBUSY;
	return sigaction(TICK_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

/* Whoever started the process may have blocked all signals, and its threads inherit that. */
static int let_signal_in(void)
{
	sigset_t tick;

	sigemptyset(&tick);
	sigaddset(&tick, TICK_SIGNAL);
	return -pthread_sigmask(SIG_UNBLOCK, &tick, NULL);
}

EXPORT int xs1_tick_create(void)
{
	struct sigevent event = {
	    .sigev_notify = SIGEV_THREAD_ID,
	    .sigev_signo = TICK_SIGNAL,
	};
	int rc = handle_signal();
	int timer;

	if (rc == 0)
		rc = let_signal_in();
	if (rc < 0)
		return rc;
	event.sigev_notify_thread_id = sys_gettid();
	rc = (int)SYS_CALL(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&timer);
	return rc < 0 ? rc : timer;
}

EXPORT int xs1_tick_set(int timer, int interval_ms)
{
	const int64_t seconds = interval_ms / 1000, ns = interval_ms % 1000 * INT64_C(1000000);
	/* two kernel timespecs: the interval, and the first time */
	const int64_t times[4] = {seconds, ns, seconds, ns};
#ifdef SYS_timer_settime64
	const long number = SYS_timer_settime64;
#else
	const long number = SYS_timer_settime;
#endif

	return (int)SYS_CALL(number, timer, 0, (long)times, 0);
}

EXPORT int xs1_tick_delete(int timer)
{
	return (int)SYS_CALL(SYS_timer_delete, timer);
}
