/* SPDX-License-Identifier: MIT */
/*
 * test_own_dlopen.c - a program that replaces functions of the dynamic linker itself
 *
 * Like HAProxy, it inspects what dlopen has loaded. Its dl_iterate_phdr hides objects that are
 * loaded later, as in programs that avoid the lock at each exception. The argument is a plugin.
 * Port 3000 is listed.
 */
#include "core/visibility.h"
#include "support/pair.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>

typedef void *open_function(const char *name, int flags);
typedef int close_function(void *handle);
typedef int visit_function(struct dl_phdr_info *info, size_t size, void *data);
typedef void *find_function(void *handle, const char *name, const char *version);

EXPORT void *own_dlopen(const char *name, int flags) __asm__("dlopen");
EXPORT int own_dlclose(void *handle) __asm__("dlclose");
EXPORT int own_iterate(visit_function *visit, void *data) __asm__("dl_iterate_phdr");
EXPORT void *own_dlvsym(void *handle, const char *name, const char *version) __asm__("dlvsym");
EXPORT struct r_debug own_debug __asm__("_r_debug");

struct r_debug own_debug; /* as if its own dynamic linker had loaded nothing */

void *own_dlopen(const char *name, int flags)
{
	open_function *next = (open_function *)dlsym(RTLD_NEXT, "dlopen");
	void *handle = next(name, flags);

	if (handle)
		dlsym(handle, "main");
	return handle;
}

int own_dlclose(void *handle)
{
	close_function *next = (close_function *)dlsym(RTLD_NEXT, "dlclose");

	dlsym(handle, "main");
	return next(handle);
}

int own_iterate(visit_function *visit, void *data)
{
	struct dl_phdr_info nothing = {0};

	return visit(&nothing, sizeof(nothing), data);
}

void *own_dlvsym(void *handle, const char *name, const char *version)
{
	find_function *next = (find_function *)dlsym(RTLD_NEXT, "dlvsym");

	return next(handle, name, version);
}

static void bind_by(const char *file, int flags, const char *name)
{
	void *handle = dlopen(file, flags);

	CHECK(handle != NULL);
	CHECK(pair_binds_there_by(dlsym(handle, name), SOCK_STREAM, 3000));
	CHECK_EQ(dlclose(handle), 0);
}

static const char *plugin;

static void test_libc(void)
{
	bind_by(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD, "bind");
	CHECK(pair_binds_there_by(dlvsym(RTLD_DEFAULT, "bind", LIBC_VERSION), SOCK_STREAM, 3000));
}

static void test_deepbind(void)
{
	bind_by(plugin, RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND, "plugin_bind");
}

int main(int argc, char **argv)
{
	CHECK_EQ(argc, 2);
	plugin = argv[1];
	RUN(test_libc);
	RUN(test_deepbind);
	return 0;
}
