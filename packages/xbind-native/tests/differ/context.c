/* SPDX-License-Identifier: MIT */
/* context.c - run a step in a thread, in a signal handler, or in a child of vfork(2) */
#include "differ/differ.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define SMALL_STACK (1 << 20)
#else
#define SMALL_STACK 16384 /* bytes */
#endif

static void (*current)(void);
static bool is_cancelled; /* is the thread to end at its first cancellation point? */

void allow_cancellation(bool allow)
{
	if (is_cancelled)
		pthread_setcancelstate(allow ? PTHREAD_CANCEL_ENABLE : PTHREAD_CANCEL_DISABLE,
		                       NULL);
}

static void *run_in_thread(void *unused)
{
	sigset_t none;

	(void)unused;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	if (is_cancelled)
		pthread_cancel(pthread_self());
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	current();
	return NULL;
}

/* This thread blocks signals, so those for the process go to the other one. */
static void in_thread(bool cancelled)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;

	is_cancelled = cancelled;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, SMALL_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, &attributes, run_in_thread, NULL) != 0)
		_exit(5);
	pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	is_cancelled = false;
}

static void handle(int number)
{
	(void)number;
	current();
}

static void in_handler(void)
{
	static char stack[SMALL_STACK];
	const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = handle,
	                           .sa_flags = SA_RESTART | (one_in(2) ? SA_ONSTACK : 0)};

	sigaltstack(&other, NULL);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
}

/* A child of vfork(2) shares the memory, but not the descriptors. */
static void in_child(void)
{
	int slots[SLOTS];
	pid_t child;

	memcpy(slots, sequence.slots, sizeof(slots));
	child = vfork();
	if (child == 0) {
		current();
		_exit(0);
	}
	memcpy(sequence.slots, slots, sizeof(slots));
	waitpid(child, NULL, 0);
}

void run_somewhere(void (*step)(void), int where)
{
	uint32_t way = below(40);

	current = step;
	if (way == 0 && where & IN_ANY) {
		say("in a thread: ");
		in_thread(false);
	} else if (way == 1 && where & IN_CALM) {
		say("in a cancelled thread: ");
		in_thread(true);
	} else if (way <= 3 && where & IN_ANY) {
		say("in a handler: ");
		in_handler();
	} else if (way <= 5 && where & IN_CHILD) {
		say("in a child: ");
		in_child();
	} else {
		step();
	}
}
