/* SPDX-License-Identifier: MIT */
/* hook_epoll_create1.c - epoll_create1(2): a set whose registrations may have to move */
#include "core/visibility.h"
#include "xbind/config.h"
#include "xbind/epollset.h"
#include "xbind/hook.h"
#include "xbind/real.h"

int follow_set(int set)
{
	if (set >= 0 && config_any())
		epollset_new(set);
	return set;
}

EXPORT int hook_epoll_create1(int flags)
{
	return hook_result(follow_set(real_epoll_create1(flags)));
}
