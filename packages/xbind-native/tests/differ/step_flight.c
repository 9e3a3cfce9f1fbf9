/* SPDX-License-Identifier: MIT */
/* step_flight.c - epoll sets and sockets that are in flight over a UNIX socket during a bind */
#include "differ/differ.h"
#include "support/pair.h"
#include "support/pass.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLIGHT_MAX 3

void send_off(int to, const int *fds, size_t count)
{
	SAY_CALL(pass_send(to, "", 1, fds, count));
}

void take_in(int from, int *fds, size_t count)
{
	const int flags = MSG_DONTWAIT | (one_in(2) ? MSG_CMSG_CLOEXEC : 0);

	SAY_CALL(pass_receive(from, fds, count, flags));
}

void say_ready(int set)
{
	struct epoll_event event = {0};

	say(" ready %d", epoll_wait(set, &event, 1, 0));
	say(" %x:%d", event.events, (int)event.data.u64);
}

/* The set may have no descriptor meanwhile. */
void step_flight(void)
{
	static const uint32_t modes[] = {0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE};
	int ends[2], set = epoll_create1(0), around = epoll_create1(0);
	const int fd = socket(AF_INET, one_in(2) ? SOCK_STREAM : SOCK_DGRAM, 0);
	int fds[FLIGHT_MAX] = {set, around, STDERR_FILENO};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | ONE_OF(modes), .data.u64 = 5};
	/* An edge that was reported is reported again when its socket moves, and a fired
	 * EPOLLONESHOT is known only under the number that the set had: xbind(7). */
	const bool before = one_in(2);
	const bool fires =
	    one_in(2) && !(event.events & (before ? EPOLLET | EPOLLONESHOT : EPOLLET));
	int holes[2] = {-1, -1};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	say("flight %x", event.events);
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 6};
	epoll_ctl(around, EPOLL_CTL_ADD, set, &event);
	if (fires)
		say_ready(set);
	send_off(ends[0], fds, FLIGHT_MAX);
	if (before) {
		close(set);
		close(around);
		for (int i = 0; i < 2 && one_in(2); i++)
			holes[i] = dup(STDERR_FILENO);
		take_in(ends[1], fds, FLIGHT_MAX);
	}
	say(" bind");
	SAY_CALL(pair_bind(fd, a_port()));
	if (!before)
		take_in(ends[1], fds, FLIGHT_MAX);
	if (!fires)
		say_ready(fds[0]);
	say_ready(fds[1]);
	event = (struct epoll_event){.events = EPOLLOUT, .data.u64 = 7};
	SAY_CALL(epoll_ctl(fds[0], EPOLL_CTL_MOD, fd, &event));
	say_ready(fds[0]);
	SAY_CALL(epoll_ctl(fds[0], EPOLL_CTL_DEL, fd, NULL));
	say_ready(fds[1]);
	for (int i = 0; i < FLIGHT_MAX; i++)
		close(fds[i]);
	if (!before) {
		close(set);
		close(around);
	}
	close(fd);
	close(ends[0]);
	close(ends[1]);
	close(holes[0]);
	close(holes[1]);
}
