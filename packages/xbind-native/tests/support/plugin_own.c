/* SPDX-License-Identifier: MIT */
/* plugin_own.c - a plugin that needs own_shutdown.c, and finds it only with RTLD_DEEPBIND */
#include "core/visibility.h"

int shutdown(const char *word);
int plugin_shutdown(void);

EXPORT int plugin_shutdown(void)
{
	return shutdown("own");
}
