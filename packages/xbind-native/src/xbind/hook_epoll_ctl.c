/* SPDX-License-Identifier: MIT */
/* hook_epoll_ctl.c - epoll_ctl(2), to record registrations; inherited sets are learnt here, too */
#include "core/fd.h"
#include "core/visibility.h"
#include "xbind/claim.h"
#include "xbind/config.h"
#include "xbind/epollrecord.h"
#include "xbind/epollset.h"
#include "xbind/hook.h"
#include "xbind/real.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>

/* EEXIST: another process, which has the set and a copy of the record, has put it back already. */
static int put_back(int set, int fd, struct epoll_event *event)
{
	const int rc = real_epoll_ctl(set, EPOLL_CTL_ADD, fd, event);

	return rc == -EEXIST ? real_epoll_ctl(set, EPOLL_CTL_MOD, fd, event) : rc;
}

/*
 * What the kernel would answer if the set had the registration: EEXIST, unless it found another
 * error first. An error in the arguments shows with a fresh set as well. After reading the event
 * the kernel checks that set is an epoll set at all; EPOLL_CTL_DEL of something that is not in it
 * tells. If set is closed, the fresh one may have got its number.
 */
static int add_parked(int set, int fd, struct epoll_event *event)
{
	CLEANUP_CLOSE int probe = sys_epoll_create1(EPOLL_CLOEXEC);
	int rc = probe < 0 ? 0 : real_epoll_ctl(probe, EPOLL_CTL_ADD, fd, event);

	if (probe >= 0 && rc != -EFAULT) {
		const int in_set =
		    probe == set ? -EBADF : sys_epoll_ctl(set, EPOLL_CTL_DEL, probe, NULL);

		if (in_set != -ENOENT)
			rc = in_set;
	}
	return rc < 0 ? rc : -EEXIST;
}

/*
 * For a registration that may be PARKED. One thread at a time: a second one that arms it finds that
 * the first has put it back. Signals are blocked, since a handler could leave by siglongjmp(3).
 */
static int control_parked(int set, int operation, int fd, struct epoll_event *event)
{
	const struct lock_turn turn = claim_number(fd);
	const bool is_parked = epollrecord_is_parked(set, fd);
	int rc = is_parked && operation == EPOLL_CTL_ADD
	             ? add_parked(set, fd, event)
	             : real_epoll_ctl(set, operation, fd, event);

	if (rc == -ENOENT && is_parked) {
		rc = operation == EPOLL_CTL_DEL ? 0 : put_back(set, fd, event);
		if (rc == 0)
			epollrecord_unpark(set, fd);
	}
	lock_leave(&turn);
	return rc;
}

/* epoll_ctl(2) as if what is PARKED were in its set (epollrecord.h). */
static int control(int set, int operation, int fd, struct epoll_event *event)
{
	int rc;

	if (operation == EPOLL_CTL_ADD && epollrecord_is_parked(set, fd))
		return control_parked(set, operation, fd, event);
	rc = real_epoll_ctl(set, operation, fd, event);
	return rc == -ENOENT && epollrecord_any_parked() ? control_parked(set, operation, fd, event)
	                                                 : rc;
}

static int control_and_note(int set, int operation, int fd, struct epoll_event *event)
{
	int rc = control(set, operation, fd, event);

	/* Before looking for swaps: one that begins later must find the note. */
	if (rc >= 0 && config_any()) {
		epollset_know(set);
		epollrecord_note(set, operation, fd, event);
	}
	return rc;
}

static int follow_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	const struct claim_mark mark = claim_mark();
	bool moved;
	int rc;

	if (claim_has_run(mark)) {
		/* Not between a swap's removal of the registrations and its dup3(2): what is added
		 * there belongs to the old socket, and would stay in the set for ever if a forked
		 * child holds that socket. */
		const struct lock_turn turn = claim_number(fd);

		rc = control_and_note(set, operation, fd, event);
		lock_leave(&turn);
	} else {
		rc = control_and_note(set, operation, fd, event);
	}
	if ((rc < 0 && rc != -ENOENT) || !claim_has_run(mark))
		return rc;
	/* A swap removes a registration for a moment and puts it back as it was, so a change made
	 * meanwhile is repeated. One that was added meanwhile has gone with the old socket. */
	moved = claim_wait(fd, mark);
	if (rc == -ENOENT)
		return control_and_note(set, operation, fd, event);
	if (moved)
		control(set, operation, fd, event);
	return rc;
}

EXPORT int hook_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	return hook_result(follow_epoll_ctl(set, operation, fd, event));
}
