/* SPDX-License-Identifier: MIT */
/* test_libc.c - libc.c finds the same functions in libc's tables as dlsym(3) */
#include "xbind/libc.h"

#include "test.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>

/* The last three also exist in older versions, which come first in some tables. */
static const char *const names[] = {
    "bind",      "chroot",       "dl_iterate_phdr",   "dlopen",
    "epoll_ctl", "listen",       "setsockopt",        "shutdown",
    "syscall",   "rresvport_af", "pthread_cond_init", "pthread_cond_timedwait",
    "realpath",
};

static void test_functions(void)
{
	void *libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);

	CHECK(libc != NULL);
	for (size_t i = 0; i < COUNT(names); i++)
		if (dlsym(libc, names[i]) != libc_function(names[i]))
			FAIL("%s is %p, not %p", names[i], libc_function(names[i]),
			     dlsym(libc, names[i]));
	dlclose(libc);
}

/* Names that libc does not have; the hash buckets of some are empty. */
static void test_none(void)
{
	char name[16];

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "no_such_%d", i);
		CHECK(libc_function(name) == NULL);
	}
	CHECK(libc_function("") == NULL);
	CHECK(libc_function("bin") == NULL);
}

static void test_search(void)
{
	CHECK(libc_dlsym(RTLD_DEFAULT, "main") == dlsym(RTLD_DEFAULT, "main"));
	CHECK(libc_dlsym(RTLD_DEFAULT, "getpid") != NULL);
	CHECK(dlerror() == NULL);
	CHECK(libc_dlsym(RTLD_DEFAULT, "no_such_function") == NULL);
	CHECK(dlerror() != NULL);
}

/* Names are compared without strcmp(), which might be another library's. */
static void test_same(void)
{
	CHECK(libc_is_same("", "") && libc_is_same("bind", "bind"));
	CHECK(!libc_is_same("bind", "bin") && !libc_is_same("bin", "bind"));
	CHECK(!libc_is_same("bind", "find") && !libc_is_same("", "bind"));
}

int main(void)
{
	RUN(test_functions);
	RUN(test_none);
	RUN(test_search);
	RUN(test_same);
	return 0;
}
