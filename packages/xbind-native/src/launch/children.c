/* SPDX-License-Identifier: MIT */
#include "launch/children.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>

void children_expect(struct children *ret)
{
	sigset_t pending;

	sigpending(&pending);
	ret->pending = sigismember(&pending, SIGCHLD) == 1;
	sigaction(SIGCHLD, NULL, &ret->action);
	/* Setting the default discards what is pending, even where that was the default before. */
	if (ret->action.sa_handler == SIG_IGN)
		sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

int children_reap(const struct children *children, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (!children->pending)
		children_forget();
	if (children->action.sa_handler == SIG_IGN)
		sigaction(SIGCHLD, &children->action, NULL);
	return status;
}

void children_forget(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &(struct timespec){0});
}
