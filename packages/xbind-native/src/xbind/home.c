/* SPDX-License-Identifier: MIT */
/*
 * home.c - the namespace is looked up when the library is loaded: later the program may be in
 * another one, by setns(2) or unshare(2), as a child of clone(2), or by a system call that no hook
 * sees.
 */
#include "xbind/home.h"

#include "core/fd.h"
#include "core/sys.h"
#include "xbind/config.h"
#include "xbind/key.h"
#include "xbind/moved.h"

#include <stdint.h>

static uint64_t home; /* its cookie, 0 while it is not known */

void home_load(void)
{
	CLEANUP_CLOSE int fd = -1;

	if (!config_all(CONFIG_TCP) && !config_all(CONFIG_UDP))
		return; /* nobody will ask */
	/* of the type that servers are asked by, which AppArmor's rules for the program allow */
	fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	home = key_of_namespace(fd);
}

bool home_has(int fd)
{
	const uint64_t own = home ? key_of_namespace(fd) : 0;

	return own == home || own == 0 || moved_is(key_of(fd));
}
