/* SPDX-License-Identifier: MIT */
/* step_share.c - two processes share the sockets and epoll sets, and take turns to run the steps */
#include "differ/differ.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH 200 /* a number above those of the sequence */
#define END  512 /* after all descriptors of a sequence */

struct turn turn;

/* Is it this process that runs the step? */
static bool is_mine(int number)
{
	random_start(sequence.seed, 2000 + (uint64_t)number);
	return one_in(2) == turn.is_child;
}

void turn_wait(void)
{
	struct pollfd other = {.fd = turn.take, .events = POLLIN};
	char byte;

	while (poll(&other, 1, LONGEST_SECONDS * 1000) < 0)
		;
	if (!(other.revents & POLLIN) || read(turn.take, &byte, 1) != 1)
		_exit(6);
}

bool turn_begin(int number)
{
	if (!turn.other || is_mine(number))
		return true;
	turn_wait();
	return false;
}

void turn_end(void)
{
	if (turn.other && write(turn.give, "", 1) != 1)
		_exit(6);
}

/* Does the other process have this open file under any number? */
bool turn_is_shared(int fd)
{
	for (int i = 0; turn.other && i < END; i++) {
		if (syscall(SYS_kcmp, getpid(), turn.other, KCMP_FILE, fd, i) == 0)
			return true;
	}
	return false;
}

/* A socket that one process binds does not move in the other one: xbind(7). So only one keeps
 * unbound sockets. */
static void close_unbound(void)
{
	for (int i = 0; i < SLOTS; i++) {
		if (!is_movable(sequence.slots[i]))
			continue;
		close(sequence.slots[i]);
		sequence.slots[i] = -1;
	}
}

static void take_ends(const int give[2], const int take[2])
{
	turn.give = fcntl(give[1], F_DUPFD, HIGH);
	turn.take = fcntl(take[0], F_DUPFD, HIGH);
	for (int i = 0; i < 2; i++) {
		close(give[i]);
		close(take[i]);
	}
}

static _Noreturn void be_the_child(const int give[2], const int take[2])
{
	take_ends(give, take);
	turn.other = getppid();
	turn.is_child = true;
	turn_end(); /* it has closed what it should */
	turn_wait();
	say(" in the child, ");
	sequence.next++;
	_exit(sequence_go_on());
}

void step_share(void)
{
	bool child_binds = one_in(2);
	int down[2], up[2];

	if (turn.other || sequence.held)
		return;
	say("share");
	if (pipe(down) < 0 || pipe(up) < 0)
		_exit(4);
	sequence.held = true;
	turn.other = fork();
	if (turn.other < 0)
		_exit(4);
	if (child_binds == (turn.other != 0))
		close_unbound();
	if (turn.other == 0)
		be_the_child(up, down);
	take_ends(down, up);
	turn_wait();
}

int turn_join(void)
{
	int status = 0;

	if (turn.other && !turn.is_child)
		waitpid(turn.other, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
