/* SPDX-License-Identifier: MIT */
/*
 * logged.h - check the library's log, byte for byte
 *
 * The library reads its settings when it is loaded, so each case is a new run of the program.
 */
#ifndef SUPPORT_LOGGED_H
#define SUPPORT_LOGGED_H

#include "support/pair.h"

#include <sys/wait.h>

#define LOGGED_BYTES 4096

struct logged_case {
	const char *name;
	void (*run)(void);
};

static const char *logged_self;

/* Runs a case in a new process. Return: its pid; output is what it has written to fd. */
static inline pid_t logged_run(const char *name, int fd, char output[LOGGED_BYTES])
{
	int pipe_fds[2], status;
	size_t len = 0;
	pid_t pid;

	CHECK_EQ(pipe(pipe_fds), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fds[1], fd);
		for (int other = 3; other < 100; other++) {
			if (other != fd)
				close(other); /* so that the log's numbers are known */
		}
		test_exec(logged_self, name, "run");
	}
	close(pipe_fds[1]);
	for (ssize_t n; (n = read(pipe_fds[0], output + len, LOGGED_BYTES - 1 - len)) > 0;)
		len += (size_t)n;
	output[len] = '\0';
	close(pipe_fds[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (status != 0)
		FAIL("case %s: status %d, wrote %s", name, status, output);
	return pid;
}

/* Skips what the emulator's dynamic linker says of a library for another processor. */
static inline const char *logged_of_library(const char *output)
{
	while (getenv("TEST_EMULATOR") && strncmp(output, "ERROR: ld.so:", 13) == 0)
		output = strchr(output, '\n') + 1;
	return output;
}

/* A line that ends with a space continues with the control socket. Without the library no line
 * is expected. */
static inline void logged_check(const char *name, int fd, const char *const *lines)
{
	char output[LOGGED_BYTES], expected[LOGGED_BYTES] = "";
	pid_t pid = logged_run(name, fd, output);
	size_t len = 0;

	for (; pair_preloaded() && *lines; lines++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len,
		                        "libxbind[%d]: %s%s\n", (int)pid, *lines,
		                        strchr(*lines, '\0')[-1] == ' ' ? getenv("XSOCKET") : "");
	if (strcmp(logged_of_library(output), expected) != 0)
		FAIL("case %s wrote\n%sinstead of\n%s", name, output, expected);
}

/* With this list of ports, a case writes these lines to stderr. */
#define LOGGED_CHECK(name, xbind, ...)                                                             \
	do {                                                                                       \
		setenv("XBIND_LOG", "1", 1);                                                       \
		setenv("XBIND", xbind, 1);                                                         \
		logged_check(name, STDERR_FILENO, (const char *const[]){__VA_ARGS__, NULL});       \
	} while (0)
#define LOGGED_MOVED                                                                               \
	"bind of descriptor 3 to tcp port 3000: moved, port 3000 of the namespace behind "
#define LOGGED_FAILED "bind of descriptor 3 to tcp port 3000: failed: "

/* Saves the program's name; if the arguments name a case, runs only that and exits. */
static inline void logged_main(int argc, char **argv, const struct logged_case *cases, size_t count)
{
	logged_self = argv[0];
	for (size_t i = 0; argc == 3 && i < count; i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			exit(0);
		}
	}
}

#endif
