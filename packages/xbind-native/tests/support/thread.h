/* SPDX-License-Identifier: MIT */
/* thread.h - another thread, while this one waits */
#ifndef SUPPORT_THREAD_H
#define SUPPORT_THREAD_H

#include "test.h"

#include <pthread.h>

static inline void thread_run(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

#endif
