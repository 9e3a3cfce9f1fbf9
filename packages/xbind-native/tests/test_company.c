/* SPDX-License-Identifier: MIT */
/*
 * test_company.c - beside another preload library, and called by a plugin
 *
 * The arguments are the plugin built with immediate binding and with lazy binding. When NEIGHBOUR
 * is set, the other library is preloaded, before libxbind or after it. Port 0 and 3000 to 3999 are
 * listed.
 */
#include "support/pair.h"

#include <dlfcn.h>

static const char *early, *late;

/* A symbol that the library has looked for and this libc lacks must not be left in dlerror(3). */
static void test_start(void)
{
	CHECK(dlerror() == NULL);
}

static void test_bind(void)
{
	int (*calls)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "neighbour_calls");
	int (*exposed)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "neighbour_exposed");
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(calls != NULL, getenv("NEIGHBOUR") != NULL);
	errno = 77;
	CHECK_EQ(pair_bind(fd, 3000), 0);
	CHECK_EQ(errno, 77);
	CHECK(pair_is_there(fd));
	CHECK(!calls || calls() > 0);
	/*
	 * a program that another thread starts meanwhile must inherit the socket itself, not its
	 * replacement
	 */
	CHECK(!calls || exposed() == fd || exposed() == -1);
	CHECK_FAILS(pair_bind(fd, 3001), EINVAL);
	close(fd);
}

/* A socket that has moved and lost its port is bound by the plain call. */
static void test_bind_again(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_bind(fd, 0), 0);
	CHECK_EQ(pair_connect(fd, 3004), 0);
	CHECK_EQ(pair_disconnect(fd), 0);
	CHECK(pair_binds_there(fd, 3003));
	close(fd);
}

/* Is the function that the program finds ours? The neighbour's may come first. */
static bool is_ours(void *function)
{
	Dl_info info;

	return dladdr(function, &info) && strstr(info.dli_fname, "libxbind");
}

/*
 * Options that the neighbour sets by libc's function are recorded, unless its search bypasses ours.
 */
static void test_setsockopt(void)
{
	const bool known = is_ours((void *)setsockopt) || (HOOKS_DLSYM && is_ours((void *)dlsym));
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_join_group(fd, INADDR_ALLHOSTS_GROUP + 8), 0);
	CHECK_EQ(pair_bind(fd, 3005), 0);
	CHECK_EQ(pair_join_group(fd, INADDR_ALLHOSTS_GROUP + 8), known ? -1 : 0);
	close(fd);
}

/* A library that wraps dlsym sees each search of the program exactly once. */
static void test_search(void)
{
	int (*lookups)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "neighbour_lookups");
	int before = lookups ? lookups() : 0;

	CHECK(dlsym(RTLD_DEFAULT, "getpid") != NULL);
	CHECK(!lookups || lookups() == before + 1);
}

static void try_function(void *handle, const char *name, bool moves)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind_by(dlsym(handle, name), fd, 3002), 0);
	CHECK_EQ(pair_is_there(fd), moves);
	CHECK_EQ(listen(fd, 1), 0);
	close(fd);
}

/* Twice, since a library may be unloaded and another one loaded at the same address. */
static void try_plugin(const char *plugin, int flags, bool moves, bool moves_by_value)
{
	for (int i = 0; i < 2; i++) {
		void *handle = dlopen(plugin, flags);

		CHECK(handle != NULL);
		try_function(handle, "plugin_bind", moves);
		try_function(handle, "plugin_bind_by_value", moves_by_value);
		dlclose(handle);
	}
}

static void test_plugin(void)
{
	try_plugin(early, RTLD_LAZY | RTLD_LOCAL, true, true);
	try_plugin(late, RTLD_LAZY | RTLD_LOCAL, true, true);
}

#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void test_deepbind(void)
{
	const int flags = RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND;
	const bool moves = HOOKS_DLSYM && is_ours((void *)dlsym);

	try_plugin(early, flags, moves, moves);
	try_plugin(late, flags, moves && is_ours((void *)bind), moves);
}
#else
/* Sanitizers abort a program that uses this flag. */
static void test_deepbind(void)
{
}
#endif

/* The environment may have been cleared before the library was loaded. The tests need it. What was
 * added meanwhile is still there. */
static void test_environment(void)
{
	char **(*started_with)(void) =
	    (char **(*)(void))dlsym(RTLD_DEFAULT, "neighbour_environment");
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, 3006), 0);
	CHECK_EQ(getenv("NEIGHBOUR_SET") != NULL, getenv("NEIGHBOUR_SETS") != NULL);
	if (started_with)
		environ = started_with();
	CHECK(pair_is_there(fd));
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t cookie;

	CHECK_EQ(argc, 3);
	if (getenv("LD_AUDIT") && !pair_cookie_of(pair_socket(SOCK_STREAM), &cookie))
		test_skip("before Linux 5.14 this asks libc what crashes under an auditor");
	early = argv[1];
	late = argv[2];
	RUN(test_start);
	RUN(test_environment);
	RUN(test_bind);
	RUN(test_bind_again);
	RUN(test_setsockopt);
	RUN(test_search);
	RUN(test_plugin);
	RUN(test_deepbind);
	return 0;
}
