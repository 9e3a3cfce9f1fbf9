/* SPDX-License-Identifier: MIT */
/* jail.h - a directory that a child process chroots into before it binds */
#ifndef SUPPORT_JAIL_H
#define SUPPORT_JAIL_H

#include "support/child.h"
#include "support/pair.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

static char jail[] = "/tmp/xsocket-chroot-XXXXXX";

static uint16_t next_port = 3000;

/* Binds to another port each time: on a connection that is kept open, the server may close its
 * copy of a socket a little after the program has closed its own. */
static inline int bind_listed(void)
{
	int fd = pair_socket(SOCK_STREAM);
	int error = error_of(pair_bind(fd, next_port++));

	if (error == 0)
		CHECK(pair_is_there(fd));
	close(fd);
	return error;
}

/* The number of open descriptors, less the standard ones. */
static inline int strangers(void)
{
	int count = 0;

	for (int fd = 3; fd < 2000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* The descriptor that the library keeps, above those that programs use; -1 for none. */
static inline int kept(void)
{
	int fd = 1000;

	while (fd < 2000 && fcntl(fd, F_GETFD) < 0)
		fd++;
	return fd < 2000 ? fd : -1;
}

/* Return: a child that holds the lock on the connection, and kills itself after so many
 * milliseconds. */
static inline pid_t start_holder(int ms)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int ready[2];
	char byte;
	pid_t child;

	CHECK_EQ(pipe(ready), 0);
	child = child_start();
	if (child == 0) {
		CHECK(!pair_preloaded() || fcntl(kept(), F_SETLK, &whole) == 0);
		CHECK_EQ(write(ready[1], "", 1), 1);
		poll(NULL, 0, ms);
		kill(getpid(), SIGKILL);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	return child;
}

static inline void enter_jail(void)
{
	errno = 77;
	CHECK_EQ(chroot(jail), 0);
	CHECK_EQ(errno, 77);
	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(access("/proc", F_OK), -1);
}

/* Runs body in a child, since a chroot cannot be undone. */
static inline void run_jailed(void (*body)(void))
{
	child_run(body);
	next_port = (uint16_t)(next_port + 20); /* more ports than the child has bound */
}

/* Also runs when a failed test ends the program. */
static void jail_remove(void)
{
	rmdir(jail);
}

static inline void jail_make(void)
{
	CHECK(mkdtemp(jail));
	CHECK_EQ(atexit(jail_remove), 0);
	CHECK_EQ(chmod(jail, 0755), 0);
}

#endif
