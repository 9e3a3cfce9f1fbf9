/* SPDX-License-Identifier: MIT */
/* step_process.c - the sequence goes on in a child, in another program; a socket comes back */
#include "differ/differ.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Over a UNIX socket and back at once: what comes back is a copy. */
void step_pass(void)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
	                      .cmsg_level = SOL_SOCKET,
	                      .cmsg_type = SCM_RIGHTS}};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};
	int fd = a_fd(), ends[2], copy = -1;

	say("pass %d", fd);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(ends[0], &message, 0) == 1 && recvmsg(ends[1], &message, 0) == 1 &&
	    message.msg_controllen > 0)
		memcpy(&copy, CMSG_DATA(&control.head), sizeof(copy));
	close(ends[0]);
	close(ends[1]);
	say_result(copy);
	keep(copy);
}

/* The parent waits, without the sockets or with them. */
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

void step_fork(void)
{
	bool holds = one_in(2);
	int ends[2];
	char byte;
	pid_t child;

	say("fork %s", holds ? "held" : "");
	end_line();
	if (pipe(ends) < 0 || (child = fork()) < 0)
		_exit(4);
	if (child > 0)
		stay_behind(child, ends, holds);
	close(ends[1]);
	if (read(ends[0], &byte, 1) < 0)
		_exit(4);
	close(ends[0]);
	sequence.held |= holds;
	alarm(LONGEST_SECONDS);
	setpgid(0, 0);
	say("in the child");
}
