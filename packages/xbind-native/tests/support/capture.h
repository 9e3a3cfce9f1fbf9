/* SPDX-License-Identifier: MIT */
/* capture.h - run a child with XBIND and XBIND_LOG, and check what it writes to stderr */
#ifndef SUPPORT_CAPTURE_H
#define SUPPORT_CAPTURE_H

#include "support/child.h"

#define OUTPUT_BYTES 8192

static inline void set(const char *name, const char *value)
{
	if (value)
		CHECK_EQ(setenv(name, value, 1), 0);
	else
		unsetenv(name);
}

/* Runs body in a child, and checks what it writes to stderr. "libxbind[PID]: " is removed from each
 * line. */
static inline void in_child(const char *xbind, const char *log, void (*body)(void),
                            const char *expected)
{
	char prefix[64], output[OUTPUT_BYTES], got[OUTPUT_BYTES] = "";
	pid_t child;
	int status;

	set("XBIND", xbind);
	set("XBIND_LOG", log);
	status = child_capture(body, STDERR_FILENO, output, sizeof(output), &child);
	snprintf(prefix, sizeof(prefix), "libxbind[%d]: ", (int)child);
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, prefix, strlen(prefix)) == 0)
			line += strlen(prefix);
		strcat(strcat(got, line), "\n");
	}
	if (status != 0 || strcmp(got, expected) != 0)
		FAIL("XBIND=%s: status %d, wrote:\n%sinstead of:\n%s", xbind ? xbind : "(unset)",
		     status, got, expected);
}

#endif
