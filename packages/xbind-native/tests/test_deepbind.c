/* SPDX-License-Identifier: MIT */
/*
 * test_deepbind.c - plugins loaded with RTLD_DEEPBIND
 *
 * Several threads load them, and one plugin has functions of its own that are named like libc's.
 * The arguments are plugin.c and plugin_own.c. Port 3000 is listed.
 */
#include "support/pair.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <time.h>

#define FLAGS   (RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND)
#define LOADS   500
#define LONGEST 10 /* seconds; loads are slow on a busy machine */
#define LOOKERS 6

static const char *plugin, *plugin_own;
static _Atomic bool is_over;

static void test_own(void)
{
	void *handle = dlopen(plugin_own, FLAGS);
	int (*call)(void);

	CHECK(handle != NULL);
	call = (int (*)(void))dlsym(handle, "plugin_shutdown");
	CHECK_EQ(call(), 'o');
	dlclose(handle);
}

/* Found by its symbol version, which is named as the plugin's file. */
static void test_version(void)
{
	void *handle = dlopen(plugin, FLAGS);
	const char *version = strrchr(plugin, '/') + 1;

	CHECK(handle != NULL);
	CHECK(pair_binds_there_by(dlvsym(handle, "plugin_bind", version), SOCK_DGRAM, 3000));
	dlclose(handle);
}

/* A plugin that looks bind up itself. */
static void test_found(void)
{
	static const char *const names[] = {"plugin_bind_found", "plugin_bind_version"};
	void *handle = dlopen(plugin, FLAGS);

	CHECK(handle != NULL);
	for (size_t i = 0; i < COUNT(names); i++)
		CHECK(pair_binds_there_by(dlsym(handle, names[i]), SOCK_DGRAM, 3000));
	dlclose(handle);
}

/* How many read-only mappings does a plugin have that is loaded with these flags? */
static int read_only_mappings(int flags)
{
	void *handle = dlopen(plugin, flags);
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 100];
	int count = 0;

	CHECK(handle && maps && dlsym(handle, "plugin_bind"));
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, " r--p ") && strstr(line, strrchr(plugin, '/'));
	fclose(maps);
	dlclose(handle);
	return count;
}

/* Pages that the dynamic linker has made read-only are so again after the library has written to
 * them. */
static void test_read_only(void)
{
	const int normal = read_only_mappings(FLAGS & ~RTLD_DEEPBIND);

	CHECK(normal > 0);
	CHECK_EQ(read_only_mappings(FLAGS), normal);
}

static void *look(void *handle)
{
	while (!is_over)
		dlsym(handle, "getpid");
	return NULL;
}

static void bind_by_plugin(void)
{
	void *handle = dlopen(plugin, FLAGS);

	CHECK(handle != NULL);
	CHECK(pair_binds_there_by(dlsym(handle, "plugin_bind"), SOCK_DGRAM, 3000));
	dlclose(handle);
}

/* While a plugin is being loaded, its tables belong to the dynamic linker: the library waits. */
static void test_threads(void)
{
	void *handle = dlopen("libc.so.6", RTLD_LAZY);
	const time_t end = time(NULL) + LONGEST;
	pthread_t threads[LOOKERS];

	CHECK(handle != NULL);
	for (int i = 0; i < LOOKERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, look, handle), 0);
	for (int i = 0; i < LOADS && time(NULL) < end; i++)
		bind_by_plugin();
	is_over = true;
	for (int i = 0; i < LOOKERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	dlclose(handle);
}

int main(int argc, char **argv)
{
	CHECK_EQ(argc, 3);
	plugin = argv[1];
	plugin_own = argv[2];
	RUN(test_own);
	RUN(test_version);
	RUN(test_found);
	RUN(test_read_only);
	RUN(test_threads);
	return 0;
}
