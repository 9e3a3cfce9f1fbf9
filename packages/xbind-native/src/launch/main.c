/* SPDX-License-Identifier: MIT */
/*
 * main.c - the native part of the `xsocket` command: starts Bun such that neither side suffers
 *
 * How it works: the current directory holds files that Bun would obey (.env, bunfig.toml,
 * package.json, tsconfig.json), so Bun runs in / and is told of it by a descriptor. `run` and
 * `open` end as another program, for which see plan.h; every other command is Bun from here on.
 *
 * The launcher is the command itself, and its script lies at a fixed place seen from there, both
 * installed and in the build tree. In npm's directories bin/start.bin, a shell script, starts it
 * so:
 *
 *     xsocket-launch --difference                print what the shell did to the environment
 *     xsocket-launch --script SCRIPT NAME DIFFERENCE ARGUMENTS...
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/bun.h"
#include "launch/children.h"
#include "launch/environment.h"
#include "launch/plan.h"
#include "launch/words.h"

#define SERVER_NAME "xsocket-server"

static char SERVER_COMMAND[] = "serve";

/* The last part of a path. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int script_installed(char *ret)
{
	char exe[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (length < 0)
		return -errno;
	exe[length] = '\0';
	*strrchr(exe, '/') = '\0';
	int written = snprintf(ret, PATH_MAX, "%s/" XSOCKET_SCRIPT_FROM_BIN, exe);
	return written < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static bool is_command(char **argv, const char *name)
{
	return argv[0] && strcmp(argv[0], name) == 0;
}

/*
 * A closed standard descriptor would be taken by whatever is opened first, a client's connection
 * for one, and error messages would be written to that. /dev/null takes its place, read-only, so
 * that writing still fails.
 */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDONLY); /* takes the lowest number */
	}
}

static int become_bun(const struct bun *bun, int argc, char **argv)
{
	fill_standard_descriptors();
	/* A directory that may not be entered cannot be opened either. */
	int cwd = open(".", O_PATH | O_DIRECTORY);
	return bun_fail(bun, bun_exec(bun, cwd, NO_DESCRIPTOR, argc, argv));
}

static int launch(struct bun *bun, int argc, char **argv)
{
	/* /dev/null serves as Bun's configuration, and in place of closed descriptors. access(2)
	 * would not notice a nodev mount. */
	int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (nowhere < 0)
		return words_fail("cannot read /dev/null (%s): give this sandbox or container its "
		                  "own /dev, as bwrap --dev /dev does",
		                  strerror(errno));
	/* A file that somebody has put there would configure Bun. */
	bool is_device = fstat(nowhere, &status) == 0 && S_ISCHR(status.st_mode);
	close(nowhere);
	if (!is_device)
		return words_fail(
		    "/dev/null is not a device: make it anew (rm /dev/null; mknod -m 666 "
		    "/dev/null c 1 3), or give this sandbox or container its own /dev");
	int rc = bun_find(bun);
	if (rc == -EINVAL)
		return words_fail("XSOCKET_BUN is \"%s\", which is not the absolute path of a "
		                  "program that this user may run: give that of Bun",
		                  getenv("XSOCKET_BUN"));
	if (rc < 0)
		return words_fail("Bun " XSOCKET_BUN_VERSION " was not found: put it into PATH, or "
		                  "give its absolute path in XSOCKET_BUN");
	if (is_command(argv, "run") || is_command(argv, "open"))
		return plan_follow(bun, argc, argv);
	bun->serves = is_command(argv, SERVER_COMMAND);
	return become_bun(bun, argc, argv);
}

/* `xsocket-server` is `xsocket serve`: argv[0], no longer needed, becomes "serve". */
static int launch_named(struct bun *bun, const char *name, int argc, char **argv)
{
	if (strcmp(base_name(name), SERVER_NAME) != 0)
		return launch(bun, argc - 1, argv + 1);
	argv[0] = SERVER_COMMAND;
	return launch(bun, argc, argv);
}

/* argv: the script, the name of the command, the difference, and the arguments. */
static int launch_script(struct bun *bun, int argc, char **argv)
{
	if (strlen(argv[0]) >= sizeof(bun->script))
		return words_fail("the path %s is too long", argv[0]);
	strcpy(bun->script, argv[0]);
	bun->called = argv[1];
	int rc = environment_apply_difference(argv[2]);
	if (rc < 0)
		return words_fail("cannot restore the environment: %s", strerror(-rc));
	/* A SIGCHLD is pending from the shell's children, which have ended. */
	children_forget();
	return launch_named(bun, argv[1], argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	static struct bun bun;

	if (argc == 2 && strcmp(argv[1], "--difference") == 0) {
		environment_print_difference();
		return EXIT_DONE;
	}
	if (access("/proc/self", F_OK) < 0)
		return words_fail("/proc is not mounted: mount it, since Bun needs it too");
	if (argc >= 5 && strcmp(argv[1], "--script") == 0)
		return launch_script(&bun, argc - 2, argv + 2);
	int rc = argc < 1 ? -EINVAL : script_installed(bun.script);
	if (rc < 0)
		return words_fail("cannot find out where this program is: %s", strerror(-rc));
	if (access(bun.script, R_OK) < 0)
		return words_fail("cannot read %s (%s): install xsocket with all its files, since "
		                  "this program alone is not the command",
		                  bun.script, strerror(errno));
	return launch_named(&bun, argv[0], argc, argv);
}
