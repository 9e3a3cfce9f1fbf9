/* SPDX-License-Identifier: MIT */
/* step_process.c - the sequence continues in a child or another program; a socket is sent and
 * received */
#include "differ/differ.h"
#include "support/clone.h"
#include "support/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sends a socket over a UNIX socket and receives it at once, which makes a copy. */
void step_pass(void)
{
	int fd = a_fd(), ends[2], copy = -1;

	say("pass %d", fd);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	send_off(ends[0], &fd, 1);
	take_in(ends[1], &copy, 1);
	close(ends[0]);
	close(ends[1]);
	say(" as %d", copy);
	keep(copy);
}

/* Changes the root to the same root: the library must manage without anything outside of it. */
void step_chroot(void)
{
	say("chroot");
	SAY_CALL(chroot("/"));
	sequence.jailed = true;
}

/* Enters a new network namespace, where sockets stay: xbind(7). A program executed later would
 * take that for home. If only some ports are listed, they still move to the server's namespace. */
void step_unshare(void)
{
	static const char range[] = "50000 60000";
	int file;

	if (sequence.partial || sequence.there)
		return;
	say("unshare");
	SAY_CALL(unshare(CLONE_NEWNET));
	file = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY);
	if (file < 0 || write(file, range, sizeof(range) - 1) < 0)
		say(" without ports");
	close(file);
	sequence.execs = false;
}

/* Is a bound socket in the same namespace as an unbound one? Return: 0 if so, 1 if not, else
 * errno. */
static int bind_isolated(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);

	if (pair_bind_any(fd, AF_INET, port) < 0)
		return errno;
	return !pair_is_beside(fd, other);
}

/* The same for a child alone, which is cloned into the namespace. */
void step_isolate(void)
{
	const uint16_t port = a_port();
	int status = 0;
	pid_t child;

	if (sequence.partial)
		return;
	say("isolate");
	child = clone_with(CLONE_NEWNET);
	if (child == 0)
		_exit(bind_isolated(port));
	if (child > 0)
		waitpid(child, &status, 0);
	say(" %d %d", child > 0, status);
}

/* Closes before exec what exec would close, like a program that knows of epoll(7). */
static void prepare_exec(void)
{
	for (int i = 0; i < SLOTS; i++) {
		int fd = sequence.slots[i];

		if (fd < 0 || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			continue;
		if (sequence.held)
			fcntl(fd, F_SETFD, 0);
		else
			drop(fd);
	}
}

/* Executes this program again, in place or, with closes, in a child of posix_spawn(3). */
static pid_t become_anew(int wait_for, const int *closes)
{
	char seed[32], left[200], wait[16];
	char *const words[] = {
	    (char *)"differ", (char *)"trace", seed, (char *)sequence.dropped, left, wait, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child = -1;

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)sequence.seed);
	snprintf(wait, sizeof(wait), "%d", wait_for);
	say_left(left, sizeof(left));
	if (!closes) {
		execv("/proc/self/exe", words);
		_exit(127);
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclose(&actions, *closes);
	for (int i = 0; i < SLOTS; i++) {
		if (sequence.slots[i] >= 0) /* removes FD_CLOEXEC */
			posix_spawn_file_actions_adddup2(&actions, sequence.slots[i],
			                                 sequence.slots[i]);
	}
	posix_spawn(&child, "/proc/self/exe", &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return child;
}

void step_exec(void)
{
	if (!sequence.execs)
		return;
	prepare_exec();
	say("exec");
	say_signals();
	end_line();
	become_anew(-1, NULL);
}

/* The parent waits for the child, with or without its own sockets. */
static _Noreturn void stay_behind(pid_t child, const int ends[2], bool holds)
{
	int status = 0;

	for (int i = 0; i < SLOTS && !holds; i++)
		close(sequence.slots[i]);
	close(ends[0]);
	close(ends[1]);
	waitpid(child, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void wait_for_parent(int fd)
{
	char byte;

	if (read(fd, &byte, 1) < 0)
		_exit(4);
	close(fd);
	alarm(LONGEST_SECONDS);
	setpgid(0, 0);
}

void step_fork(void)
{
	bool holds = one_in(2), execs = sequence.execs && one_in(2);
	int ends[2];
	pid_t child;

	if (turn.other)
		return;
	say("%s %s", execs ? "vfork" : "fork", holds ? "held" : "");
	end_line();
	sequence.held |= holds;
	if (execs)
		prepare_exec();
	if (pipe(ends) < 0)
		_exit(4);
	if (execs && one_in(2))
		child = become_anew(ends[0], &ends[1]);
	else
		child = execs ? vfork() : fork();
	if (child < 0)
		_exit(4);
	if (child > 0)
		stay_behind(child, ends, holds);
	close(ends[1]);
	if (execs)
		become_anew(ends[0], NULL);
	wait_for_parent(ends[0]);
	say("in the child");
}
