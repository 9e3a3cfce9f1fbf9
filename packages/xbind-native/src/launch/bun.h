/* SPDX-License-Identifier: MIT */
/* bun.h - the runtime that the command is written for, and how it is started */
#ifndef LAUNCH_BUN_H
#define LAUNCH_BUN_H

#include <limits.h>
#include <stdbool.h>

#define NO_DESCRIPTOR (-1)

/* What is started: `bun script arguments`. */
struct bun {
	char path[PATH_MAX];
	char script[PATH_MAX];
	const char *called; /* the absolute path of npm's command, which may be a link; or NULL */
	bool serves; /* it runs for long, mostly idle, and a limit of threads must not end it */
};

/**
 * bun_find() - find the runtime
 * @bun: script and called are set; path is filled in
 *
 * In this order: $XSOCKET_BUN, beside the script, the one that runs `bun x`, the package bun
 * installed with ours, beside the command that was called, PATH. Relative directories in PATH are
 * skipped: what lies in the current directory must not decide what runs.
 *
 * Return: 0, -ENOENT if there is none, -EINVAL if $XSOCKET_BUN is not the absolute path of a
 * program that this user may run.
 */
int bun_find(struct bun *bun);

/**
 * bun_exec() - become the runtime
 * @bun:     what bun_find() found
 * @cwd_fd:  the directory that the command was started in, for the script, or NO_DESCRIPTOR
 * @plan_fd: where the script sends its plan (plan.h), or NO_DESCRIPTOR
 * @argc:    number of arguments
 * @argv:    the arguments of the command, without its name
 *
 * For a server the runtime's own timers are switched off, unless the user has set their variables,
 * and so are its threads for compiling and garbage collection; and SIGTERM, SIGINT and SIGHUP are
 * blocked until it has handlers for them. Otherwise memory limits are lifted.
 *
 * Return: only on failure, -errno.
 */
int bun_exec(const struct bun *bun, int cwd_fd, int plan_fd, int argc, char **argv);

/**
 * bun_fail() - say on stderr why the runtime cannot be started
 * @rc: -errno
 *
 * Return: EXIT_FAILED.
 */
int bun_fail(const struct bun *bun, int rc);

#endif
