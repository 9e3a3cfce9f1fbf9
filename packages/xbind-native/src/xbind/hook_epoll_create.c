/* SPDX-License-Identifier: MIT */
/* hook_epoll_create.c - epoll_create(2): a set whose registrations may have to move */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/epollset.h"
#include "xbind/hook.h"
#include "xbind/real.h"

EXPORT int hook_epoll_create(int size)
{
	int set = real_epoll_create(size);

	if (set >= 0 && config_any())
		epollset_new(set);
	return hook_result(set);
}
