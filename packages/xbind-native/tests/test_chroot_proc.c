/* SPDX-License-Identifier: MIT */
/*
 * test_chroot_proc.c - after chroot(2), /proc may be a directory with files of anybody
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/jail.h"
#include "support/listener.h"

#define COPY 100 /* number of a copy, above the FDSize in the forged status */

/* A path below /proc of the jail, until the next one. */
static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/proc%s", jail, name);
	return path;
}

static void make_directory(const char *name)
{
	CHECK_EQ(mkdir(path_of(name), 0755), 0);
}

static void make_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	CHECK(file);
	CHECK(fputs(text, file) >= 0);
	CHECK_EQ(fclose(file), 0);
}

static void make_pipe(const char *name)
{
	CHECK_EQ(mkfifo(path_of(name), 0600), 0);
}

static void remove_all(const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		CHECK_EQ(remove(path_of(names[i])), 0);
}

static int set, registered, copy;

static void have_registration(void)
{
	set = new_set();
	registered = pair_socket(SOCK_STREAM);
	copy = fcntl(registered, F_DUPFD, COPY);
	CHECK_EQ(copy, COPY);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, registered, EPOLLIN, DATA), 0);
}

static void bind_in_jail(void)
{
	CHECK_EQ(chroot(jail), 0);
	CHECK_EQ(chdir("/"), 0);
	alarm(20);
	CHECK_EQ(pair_bind(registered, next_port), 0); /* another port each time: see jail.h */
	check_event(set, EPOLLHUP, DATA);
	CHECK_EQ(pair_port(copy), next_port);
}

static void test_in_jail(void (*make)(const char *fdinfo))
{
	char fdinfo[64];

	have_registration();
	snprintf(fdinfo, sizeof(fdinfo), "/thread-self/fdinfo/%d", set);
	make_directory("");
	make_directory("/thread-self");
	make_directory("/thread-self/fdinfo");
	make(fdinfo);
	run_jailed(bind_in_jail);
	remove_all((const char *const[]){fdinfo, "/thread-self/status", "/thread-self/fdinfo",
	                                 "/thread-self", ""},
	           5);
	close(set);
	close(registered);
	close(copy);
}

/* If believed, this would give the program a pointer of somebody else, and hide a copy. */
static void forge(const char *fdinfo)
{
	char text[64];

	snprintf(text, sizeof(text), "tfd: %d events: 19 data: 7\n", registered);
	make_file(fdinfo, text);
	make_file("/thread-self/status", "FDSize:\t64\n");
}

static void test_forged(void)
{
	test_in_jail(forge);
}

/* Opening a FIFO would wait for a writer. */
static void obstruct(const char *fdinfo)
{
	make_pipe(fdinfo);
	make_pipe("/thread-self/status");
}

static void test_obstructed(void)
{
	test_in_jail(obstruct);
}

int main(void)
{
	jail_make();
	RUN(test_forged);
	RUN(test_obstructed);
	CHECK_EQ(rmdir(jail), 0);
	return 0;
}
