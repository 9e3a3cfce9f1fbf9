/* SPDX-License-Identifier: MIT */
/*
 * logged.h - check the library's log, byte for byte
 *
 * The library reads its settings when it is loaded, so each case is a new run of the program.
 */
#ifndef SUPPORT_LOGGED_H
#define SUPPORT_LOGGED_H

#include "support/child.h"
#include "support/pair.h"

#define LOGGED_BYTES 4096

struct logged_case {
	const char *name;
	void (*run)(void);
};

static const char *logged_self;

static const char *logged_name; /* of the case to run */
static int logged_fd;           /* to which it writes the log */

static void logged_become(void)
{
	for (int other = 3; other < 100; other++) {
		if (other != logged_fd)
			close(other); /* so that the log's numbers are known */
	}
	test_exec(logged_self, logged_name, "run");
}

/* Skips what the emulator's dynamic linker says of a library for another processor. */
static inline const char *logged_of_library(const char *output)
{
	while (getenv("TEST_EMULATOR") && strncmp(output, "ERROR: ld.so:", 13) == 0)
		output = strchr(output, '\n') + 1;
	return output;
}

/* A case, in a new process, writes these lines to fd, or none without the library. A line that ends
 * with a space continues with the control socket. */
static inline void logged_check(const char *name, int fd, const char *const *lines)
{
	char output[LOGGED_BYTES], expected[LOGGED_BYTES] = "";
	size_t len = 0;
	pid_t child;
	int status;

	logged_name = name;
	logged_fd = fd;
	status = child_capture(logged_become, fd, output, sizeof(output), &child);
	if (status != 0)
		FAIL("case %s: status %d, wrote %s", name, status, output);
	for (; pair_preloaded() && *lines; lines++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len,
		                        "libxbind[%d]: %s%s\n", (int)child, *lines,
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
