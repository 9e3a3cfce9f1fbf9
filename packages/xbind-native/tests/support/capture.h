/* SPDX-License-Identifier: MIT */
/* capture.h - run a child with XBIND and XBIND_LOG, and check what it writes to stderr */
#ifndef SUPPORT_CAPTURE_H
#define SUPPORT_CAPTURE_H

#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

#define OUTPUT_BYTES 8192

static inline void set(const char *name, const char *value)
{
	if (value)
		CHECK_EQ(setenv(name, value, 1), 0);
	else
		unsetenv(name);
}

/* Runs body in a child with stderr as a pipe, and checks what it writes there. "libxbind[PID]: "
 * is removed from each line. */
static inline void in_child(const char *xbind, const char *log, void (*body)(void),
                            const char *expected)
{
	char prefix[64], output[OUTPUT_BYTES] = "", got[OUTPUT_BYTES] = "";
	int pipe_fds[2], status;
	size_t len = 0;
	pid_t pid;

	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[1], STDERR_FILENO);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		set("XBIND", xbind);
		set("XBIND_LOG", log);
		body();
		_exit(0);
	}
	close(pipe_fds[1]);
	for (ssize_t n; (n = read(pipe_fds[0], output + len, sizeof(output) - 1 - len)) > 0;)
		len += (size_t)n;
	close(pipe_fds[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	snprintf(prefix, sizeof(prefix), "libxbind[%d]: ", (int)pid);
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
