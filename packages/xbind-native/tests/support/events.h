/* SPDX-License-Identifier: MIT */
/* events.h - what an epoll set reports */
#ifndef SUPPORT_EVENTS_H
#define SUPPORT_EVENTS_H

#include "test.h"

#include <stdint.h>
#include <sys/epoll.h>

#define EVENT_WAIT_MS 5000 /* milliseconds; the listener's event may lag behind connect(2) */

static inline void check_event(int set, uint32_t events, uint64_t data)
{
	struct epoll_event found[4];

	CHECK_EQ(epoll_wait(set, found, 4, EVENT_WAIT_MS), 1);
	CHECK_EQ(found[0].events, events);
	CHECK_EQ(found[0].data.u64, data);
}

static inline void check_quiet(int set)
{
	struct epoll_event found;

	CHECK_EQ(epoll_wait(set, &found, 1, 0), 0);
}

#endif
