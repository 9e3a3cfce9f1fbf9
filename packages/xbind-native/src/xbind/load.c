/* SPDX-License-Identifier: MIT */
/* load.c - what happens when the dynamic linker has loaded the library */
#include "xbind/config.h"
#include "xbind/epollset.h"
#include "xbind/fdtable.h"
#include "xbind/flight.h"
#include "xbind/home.h"
#include "xbind/log.h"
#include "xbind/real.h"

/* The hooks do not depend on it: constructors of other libraries may call them earlier. */
__attribute__((constructor)) static void load(void)
{
	real_load();
	config_load();
	log_load();
	if (config_any()) {
		home_load();
		fdtable_load();
		epollset_load();
		flight_load();
	}
}
