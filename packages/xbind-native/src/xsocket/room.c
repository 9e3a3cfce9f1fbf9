/* SPDX-License-Identifier: MIT */
/*
 * room.c - whether more threads can be had
 *
 * How many more a process may have cannot be asked (RLIMIT_NPROC counts all that a user runs, and a
 * cgroup may be out of sight). So threads are created, held until all of them exist, and ended.
 */
#include "xsocket/private.h"

#include "core/glibc.h"
#include "core/visibility.h"

#include <errno.h>
#include <pthread.h>

#define COUNT_MAX 64 /* threads */

static void *pass(void *gate)
{
	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
	return NULL;
}

EXPORT int xs1_thread_room(int count)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[COUNT_MAX];
	int made = 0, rc = count > COUNT_MAX ? EINVAL : 0;

	pthread_mutex_lock(&gate);
	while (rc == 0 && made < count) {
		rc = pthread_create(&threads[made], NULL, pass, &gate);
		if (rc == 0)
			made++;
	}
	pthread_mutex_unlock(&gate);
	while (made > 0)
		pthread_join(threads[--made], NULL);
	return -rc;
}
