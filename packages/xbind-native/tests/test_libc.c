/* SPDX-License-Identifier: MIT */
/* test_libc.c - what libc.c finds in the tables of libc is what dlsym(3) finds there */
#include "xbind/libc.h"

#include "test.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>

/* The last three have had other versions, which come first in some tables. */
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
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (dlsym(libc, names[i]) != libc_function(names[i]))
			FAIL("%s is %p, not %p", names[i], libc_function(names[i]),
			     dlsym(libc, names[i]));
	dlclose(libc);
}

/* Some of these names are where libc has none in its table. */
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

/* What is asked for by its name is compared without strcmp(). */
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
