/* SPDX-License-Identifier: MIT */
#include "core/deadline.h"

#include "core/number.h"

#include <stdlib.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct deadline deadline_in(int wait_ms)
{
	return (struct deadline){now_ms() + wait_ms};
}

int deadline_default_ms(void)
{
	const char *text = secure_getenv("XSOCKET_TIMEOUT_MS");
	int value = text ? number_parse(text) : 0;

	return value > 0 ? value : HANDOVER_WAIT_MS;
}

int deadline_left_ms(const struct deadline *deadline)
{
	const int64_t left = deadline->at_ms - now_ms();

	return left > 0 ? (int)left : 0;
}
