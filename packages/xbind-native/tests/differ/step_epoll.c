/* SPDX-License-Identifier: MIT */
/* step_epoll.c - epoll sets, and threads that wait in them */
#include "differ/differ.h"
#include "support/pair.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS           16
#define WAITER_MS        1000 /* longest wait of a thread, in milliseconds */
#define WAITER_STARTS_US 1000 /* microseconds until it waits */

void step_set(void)
{
	int set;

	before_call();
	set = one_in(2) ? epoll_create1(one_in(2) ? EPOLL_CLOEXEC : 0) : epoll_create(1);
	say("epoll_create");
	say_result(set);
	keep(set);
}

static uint32_t some_events(void)
{
	static const uint32_t bits[] = {EPOLLIN, EPOLLOUT,     EPOLLPRI,     EPOLLRDHUP, EPOLLET,
	                                EPOLLET, EPOLLONESHOT, EPOLLONESHOT, EPOLLHUP,   EPOLLERR,
	                                EPOLLIN, EPOLLWAKEUP,  EPOLLMSG,     EPOLLRDNORM};
	uint32_t events = one_in(3) ? 0 : EPOLLIN | EPOLLOUT;

	if (one_in(8))
		return EPOLLEXCLUSIVE | (one_in(2) ? EPOLLET : 0) |
		       (one_in(4) ? EPOLLRDHUP : EPOLLIN);
	while (!one_in(3))
		events |= ONE_OF(bits);
	/* Only the program that registered an EPOLLONESHOT knows that it has fired: xbind(7). */
	return sequence.execs ? events & ~(uint32_t)EPOLLONESHOT : events;
}

/* A system call that the library does not see. It then cannot know that an EPOLLONESHOT has
 * fired (xbind(7)). */
static int control(int set, int operation, int fd, struct epoll_event *event)
{
	if (sequence.execs && one_in(3))
		return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
	return epoll_ctl(set, operation, fd, event);
}

void step_control(void)
{
	static const int operations[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD,
	                                 EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
	int set = a_set(), operation = one_in(40) ? 7 : ONE_OF(operations);
	int fd = one_in(10) ? a_set() : a_socket();
	struct epoll_event event = {.events = some_events(), .data.u64 = random_next()};
	bool none = one_in(30);

	say("epoll_ctl %d %d %d %x %s", set, operation, fd, event.events, none ? "NULL" : "");
	SAY_CALL(control(set, operation, fd, none ? NULL : &event));
}

/* Events have no defined order, and two may have the same data. */
static int compare_events(const void *a, const void *b)
{
	const struct epoll_event *left = a, *right = b;

	if (left->data.u64 != right->data.u64)
		return left->data.u64 < right->data.u64 ? -1 : 1;
	return left->events < right->events ? -1 : left->events > right->events;
}

void say_events(struct epoll_event *events, int count)
{
	say(" = %d", count);
	if (count <= 0)
		return;
	qsort(events, (size_t)count, sizeof(*events), compare_events);
	for (int i = 0; i < count; i++)
		say(" %x:%llx", events[i].events, (unsigned long long)events[i].data.u64);
}

void step_wait(void)
{
	struct epoll_event events[EVENTS];
	int set = a_set();

	say("epoll_wait %d", set);
	say_events(events, one_in(2) ? epoll_wait(set, events, EVENTS, 0)
	                             : epoll_pwait(set, events, EVENTS, (int)below(3), NULL));
}

/* An edge that was reported is reported again when its socket moves (xbind(7)): discard it. */
void settle_sets(void)
{
	struct epoll_event events[EVENTS];

	for (int i = 0; i < 2 * SLOTS; i++) {
		int fd = sequence.slots[i % SLOTS];

		if (is_set(fd))
			epoll_wait(fd, events, EVENTS, 0);
	}
}

struct waiter {
	int set;
	int count;
	struct epoll_event event;
};

static void *wait_in_set(void *argument)
{
	struct waiter *waiter = argument;

	waiter->count = epoll_wait(waiter->set, &waiter->event, 1, WAITER_MS);
	return NULL;
}

/* The socket sends to itself, which works in any namespace. */
static void bind_and_send(int fd)
{
	union address address;
	socklen_t len;

	say(" bind");
	SAY_CALL(pair_bind(fd, one_in(2) ? a_port() : 0));
	if (address_of(fd, &address, &len) && port_of(fd) != 0)
		say_result(sendto(fd, "x", 1, MSG_DONTWAIT, &address.any, len));
}

/* A thread waits in a set, or in a set around it, while this one binds a socket of the set. */
void step_waiter(void)
{
	static const uint32_t flags[] = {0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), inner = epoll_create1(0), outer = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN | ONE_OF(flags), .data.u64 = 1};
	struct waiter waiter = {.set = one_in(2) ? inner : outer};
	pthread_t thread;

	say("waiter %x in %s", event.events, waiter.set == inner ? "the set" : "the outer set");
	epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event);
	event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 2};
	epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
	if (pthread_create(&thread, NULL, wait_in_set, &waiter) != 0)
		_exit(5);
	usleep(WAITER_STARTS_US);
	bind_and_send(fd);
	pthread_join(thread, NULL);
	say_events(&waiter.event, waiter.count);
	close(fd);
	close(inner);
	close(outer);
}

/* In a descriptor table of its user's own, where no descriptor of the program is open. */
static void bind_without(const int in_set[2])
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd, own = -1;

	for (int i = 0; i < SLOTS; i++)
		close(sequence.slots[i]);
	close(in_set[0]);
	close(in_set[1]); /* a thread's table may outlive it for a moment */
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (one_in(3)) {
		own = epoll_create1(0);
		epoll_ctl(own, EPOLL_CTL_ADD, fd, &event);
	}
	bind_and_send(fd);
	close(own);
	close(fd);
}

static void *leave_table(void *in_set)
{
	if (unshare(CLONE_FILES) < 0)
		_exit(5);
	bind_without(in_set);
	return NULL;
}

/* Binds in such a table, whose user shares the program's memory, and then binds a socket of a
 * set. */
void step_apart(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), set = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
	int in_set[2] = {set, fd};
	pthread_t thread;
	pid_t child;

	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	say("apart in a ");
	if (one_in(2)) {
		say("thread");
		if (pthread_create(&thread, NULL, leave_table, in_set) != 0)
			_exit(5);
		pthread_join(thread, NULL);
	} else {
		say("child");
		child = vfork();
		if (child == 0) {
			bind_without(in_set);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	bind_and_send(fd);
	say_events(&event, epoll_wait(set, &event, 1, 0));
	close(fd);
	close(set);
}
