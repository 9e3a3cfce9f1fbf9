/* SPDX-License-Identifier: MIT */
/* thread.h - run code in other threads, and wait for them */
#ifndef SUPPORT_THREAD_H
#define SUPPORT_THREAD_H

#include "test.h"

#include <pthread.h>
#include <stdint.h>

static inline void thread_run(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

#define THREADS_MAX 16

/* Runs several threads at once. Each gets its number. */
static inline void thread_run_all(void *(*body)(void *), uintptr_t count)
{
	pthread_t threads[THREADS_MAX];

	for (uintptr_t i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, body, (void *)i), 0);
	for (uintptr_t i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

#endif
