/* SPDX-License-Identifier: MIT */
/* deadline.h - a point on the monotonic clock by which an operation has to be over */
#ifndef CORE_DEADLINE_H
#define CORE_DEADLINE_H

#include <stdint.h>

#define HANDOVER_WAIT_MS 5000 /* milliseconds; XSOCKET_TIMEOUT_MS overrides */

struct deadline {
	int64_t at_ms; /* monotonic clock, milliseconds */
};

/* A deadline wait_ms milliseconds from now. */
struct deadline deadline_in(int wait_ms);

/* The time that xsocket() may take: XSOCKET_TIMEOUT_MS (1 to INT_MAX), else HANDOVER_WAIT_MS. */
int deadline_default_ms(void);

/* Milliseconds left, 0 when it is over: a timeout for poll(2). */
int deadline_left_ms(const struct deadline *deadline);

#endif
