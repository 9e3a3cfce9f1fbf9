/* SPDX-License-Identifier: MIT */
/* load.c - what happens when the dynamic linker has loaded the library */
#include "xbind/config.h"
#include "xbind/epollset.h"
#include "xbind/fdtable.h"
#include "xbind/flight.h"
#include "xbind/home.h"
#include "xbind/log.h"
#include "xbind/real.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool has_ports(char **environment)
{
	for (char **entry = environment; entry && *entry; entry++) {
		if (strncmp(*entry, "XBIND=", strlen("XBIND=")) == 0)
			return true;
	}
	return false;
}

/* Reads the environment of the program's start where a constructor of another library has cleared
 * that of now. Only there is environ written: a thread may be inside setenv(3). */
static void load_config(char **started_with)
{
	char **const now = environ;
	const bool cleared = !has_ports(now) && has_ports(started_with);

	if (cleared)
		environ = started_with;
	config_load();
	if (cleared)
		environ = now;
}

/*
 * The hooks do not depend on it: constructors of other libraries may call them earlier. glibc calls
 * constructors as it calls main, musl without arguments.
 */
__attribute__((constructor)) static void load(int argc, char **argv, char **started_with)
{
	(void)argc;
	(void)argv;
#ifndef __GLIBC__
	started_with = environ;
#endif
	real_load();
	load_config(started_with);
	log_load();
	if (config_any()) {
		home_load();
		fdtable_load();
		epollset_load();
		flight_load();
	}
}
