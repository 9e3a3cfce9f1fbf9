/* SPDX-License-Identifier: MIT */
/* hook_epoll_create.c - epoll_create(2): a set whose registrations may have to move */
#include "core/visibility.h"
#include "xbind/hook.h"
#include "xbind/real.h"

EXPORT int hook_epoll_create(int size)
{
	return hook_result(follow_set(real_epoll_create(size)));
}
