/* SPDX-License-Identifier: MIT */
#include "launch/bun.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* No .env, no bunfig.toml, no package fetched from a registry. */
static const char *const FLAGS[] = {"--no-env-file", "--config=/dev/null", "--no-install"};

/* Variables that users set for Bun programs of their own, and that would change or stop ours. */
static const char *const FOREIGN[] = {
    "BUN_OPTIONS",         "BUN_INSPECT",       "BUN_INSPECT_NOTIFY", "BUN_INSPECT_CONNECT_TO",
    "BUN_INSPECT_PRELOAD", "JSC_SIGNAL_FOR_GC", "NODE_COMPILE_CACHE"};
/* Those of its JavaScript engine, one for each option, such as the JIT, which bun:ffi needs. */
static const char ENGINE_PREFIX[] = "BUN_JSC_";

static bool runnable(const char *path)
{
	struct stat status;

	/* A directory that may be entered counts as executable. */
	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Is the runtime at this place below directory, whose length is given? ret is always written. */
static bool found_in(const char *directory, size_t length, const char *place, char *ret)
{
	int written = snprintf(ret, PATH_MAX, "%.*s/%s", (int)length, directory, place);

	return directory[0] == '/' && written > 0 && written < PATH_MAX && runnable(ret);
}

/* The same beside a file. */
static bool found_beside(const char *file, char *ret)
{
	const char *slash = strrchr(file, '/');

	return slash && found_in(file, (size_t)(slash - file), "bun", ret);
}

/* `bun x` names itself in npm_execpath, as npm does; npm is not what we look for. */
static bool found_running(char *ret)
{
	const char *path = getenv("npm_execpath");
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && strcmp(slash, "/bun") == 0 && found_beside(path, ret);
}

static bool found_on_path(char *ret)
{
	const char *directory = getenv("PATH");

	while (directory) {
		size_t length = strcspn(directory, ":");

		if (found_in(directory, length, "bun", ret))
			return true;
		directory = directory[length] ? directory + length + 1 : NULL;
	}
	return false;
}

/*
 * npm and Bun put the commands of packages into one directory beside them: .bin/bun. In a store the
 * package itself lies deeper (node_modules/.bun/NAME/node_modules/xsocket), so every node_modules
 * above the script is tried.
 */
static bool found_installed(const char *script, char *ret)
{
	static const char MODULES[] = "/node_modules/";

	for (size_t length = strlen(script); length-- > 0;) {
		if (strncmp(script + length, MODULES, strlen(MODULES)) == 0 &&
		    found_in(script, length, "node_modules/.bin/bun", ret))
			return true;
	}
	return false;
}

int bun_find(struct bun *bun)
{
	const char *named = getenv("XSOCKET_BUN");

	if (named && named[0]) {
		if (named[0] != '/' || strlen(named) >= sizeof(bun->path) || !runnable(named))
			return -EINVAL;
		strcpy(bun->path, named);
		return 0;
	}
	if (found_beside(bun->script, bun->path) || found_running(bun->path) ||
	    found_installed(bun->script, bun->path) ||
	    (bun->called && found_beside(bun->called, bun->path)) || found_on_path(bun->path))
		return 0;
	return -ENOENT;
}

/*
 * A signal that ends a server stays pending until the server has its handlers: before that, and
 * while it becomes another user by one more exec, it would end without removing its socket file.
 * Bun itself unblocks all signals whenever it waits for events. It does so for the first time after
 * the handlers are there, and no more once they are gone.
 */
static void block_signals(void)
{
	static const int ENDING[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < COUNT(ENDING); i++)
		sigaddset(&set, ENDING[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void be_a_server(void)
{
	block_signals();
	/* What lets an idle server sleep: the timers of Bun's collector and of its allocator would
	 * wake it several times a second. Garbage is collected all the same when there is some, and
	 * the allocator gives memory back at once instead of a little later. */
	setenv("BUN_GC_TIMER_DISABLE", "1", 0);
	setenv("MIMALLOC_PURGE_DELAY", "0", 0);
	/* What lets a server live at a limit of threads: the engine compiles and collects garbage
	 * in threads that end when they are idle, and it aborts the process if it cannot start one
	 * again. */
	setenv("BUN_JSC_useConcurrentJIT", "0", 1);
	setenv("BUN_JSC_useConcurrentGC", "0", 1);
	setenv("BUN_JSC_numberOfGCMarkers", "1", 1);
}

/* Memory limits that are meant for the program would end Bun, which reserves much address space.
 * They are lifted as far as allowed. A server keeps them, since they are meant for itself. */
static void lift_limits(void)
{
	static const unsigned LIMITS[] = {RLIMIT_AS, RLIMIT_DATA}; /* as glibc has them */

	for (size_t i = 0; i < COUNT(LIMITS); i++) {
		struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

		if (setrlimit(LIMITS[i], &limit) == 0)
			continue;
		getrlimit(LIMITS[i], &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(LIMITS[i], &limit);
	}
}

static void drop_foreign(void)
{
	for (size_t i = 0; i < COUNT(FOREIGN); i++)
		unsetenv(FOREIGN[i]);

	char **kept = environ;
	for (char **entry = environ; *entry; entry++) {
		if (strncmp(*entry, ENGINE_PREFIX, sizeof(ENGINE_PREFIX) - 1) != 0)
			*kept++ = *entry;
	}
	*kept = NULL;
}

int bun_exec(const struct bun *bun, int cwd_fd, int plan_fd, int argc, char **argv)
{
	char cwd_text[16], plan_text[16];
	const char **args = calloc((size_t)argc + COUNT(FLAGS) + 5, sizeof(*args));
	size_t count = 0;

	if (!args)
		return -ENOMEM;
	snprintf(cwd_text, sizeof(cwd_text), "%d", cwd_fd);
	snprintf(plan_text, sizeof(plan_text), "%d", plan_fd);
	args[count++] = "bun";
	for (size_t i = 0; i < COUNT(FLAGS); i++)
		args[count++] = FLAGS[i];
	args[count++] = bun->script;
	args[count++] = cwd_text;
	args[count++] = plan_text;
	memcpy(&args[count], argv, (size_t)argc * sizeof(*args));

	drop_foreign();
	/* The signal of Bun's collector: Bun puts its handler in place of SIG_IGN, but says so on
	 * stderr. */
	sigaction(SIGPWR, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	if (bun->serves)
		be_a_server();
	else
		lift_limits();
	/* Bun also reads package.json and tsconfig.json of the current directory and its parents.
	 * And execv(3) is declared without const for the sake of old C; it changes nothing. */
	if (chdir("/") == 0)
		execv(bun->path, (char *const *)args);
	int rc = -errno;
	free(args);
	return rc;
}

static const char *remedy_for(int rc)
{
	switch (-rc) {
	case ENOEXEC:
		/* Until its install script has run, the package bun has a script without "#!"
		 * there. */
		return ": install Bun for this machine, or if this is the package bun, run node "
		       "install.js in its directory";
	case EMFILE:
		return ": raise the limit of open files (ulimit -n, LimitNOFILE=)";
	case EAGAIN:
		return ": raise the limit of processes (ulimit -u, TasksMax=)";
	default:
		return "";
	}
}

int bun_fail(const struct bun *bun, int rc)
{
	return words_fail("cannot start %s: %s%s", bun->path, strerror(-rc), remedy_for(rc));
}
