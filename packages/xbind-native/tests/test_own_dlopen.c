/* SPDX-License-Identifier: MIT */
/*
 * test_own_dlopen.c - a program that stands in front of dlopen and dlclose itself, and looks into
 * what it has opened, as HAProxy does
 *
 * Port 3000 is listed.
 */
#include "core/visibility.h"
#include "support/pair.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>

typedef void *open_function(const char *name, int flags);
typedef int close_function(void *handle);

EXPORT void *own_dlopen(const char *name, int flags) __asm__("dlopen");
EXPORT int own_dlclose(void *handle) __asm__("dlclose");

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

static void test_bind(void)
{
	int (*call)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_in addr = pair_addr(3000);
	void *libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
	int fd = pair_socket(SOCK_STREAM);

	CHECK(libc != NULL);
	call = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(libc, "bind");
	CHECK_EQ(call(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	CHECK(pair_is_there(fd));
	close(fd);
	CHECK_EQ(dlclose(libc), 0);
}

int main(void)
{
	RUN(test_bind);
	return 0;
}
