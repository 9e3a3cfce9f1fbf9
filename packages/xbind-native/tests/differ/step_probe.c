/* SPDX-License-Identifier: MIT */
/* step_probe.c - several sockets look for a free port: it is taken, released and taken again */
#include "differ/differ.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLDERS   3
#define CALLS_MAX 16

static int holders[HOLDERS]; /* -1 for none */
static int domain, type;
static union address place;

/* A process that also has the address, until it is told to end. 0 for none. */
static pid_t rival;
static int told; /* write end of a pipe */

static void choose_place(void)
{
	const uint16_t port = place.in.sin_port;
	const bool is_loopback = one_in(2);

	domain = one_in(2) ? AF_INET : AF_INET6;
	place = (union address){.any.sa_family = (sa_family_t)domain};
	place.in.sin_port = port;
	if (is_loopback && domain == AF_INET)
		place.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (is_loopback)
		place.in6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
	say(" place %d %d", domain, is_loopback);
}

static void choose_type(int unused)
{
	(void)unused;
	type = one_in(2) ? SOCK_STREAM : SOCK_DGRAM;
	choose_place();
}

static void set_sharing(int fd)
{
	static const int names[] = {0, 0, SO_REUSEADDR, SO_REUSEPORT};
	const int name = ONE_OF(names), on = 1;

	say(" %d", name);
	if (name != 0)
		SAY_CALL(setsockopt(fd, SOL_SOCKET, name, &on, sizeof(on)));
}

static int bind_there(int fd)
{
	return bind(fd, &place.any, domain == AF_INET ? sizeof(place.in) : sizeof(place.in6));
}

static void take(int at)
{
	if (holders[at] < 0)
		holders[at] = socket(domain, type | SOCK_CLOEXEC, 0);
	else if (option_of(holders[at], SOL_SOCKET, SO_DOMAIN, 0) != domain)
		return;
	say(" take");
	set_sharing(holders[at]);
	SAY_CALL(bind_there(holders[at]));
}

/* All later calls use the port that the kernel has chosen. */
static void ask(int at)
{
	const uint16_t port = port_of(holders[at]);

	say(port ? " ask" : " ask nobody");
	if (port)
		place.in.sin_port = htons(port);
}

static void give_back(int at)
{
	if (holders[at] < 0)
		return;
	say(" give back");
	close(holders[at]);
	holders[at] = -1;
}

static void take_by_child(int unused)
{
	int status = 0;
	pid_t child = fork();

	(void)unused;
	if (child == 0)
		_exit(bind_there(socket(domain, type, 0)) < 0 ? errno : 0);
	waitpid(child, &status, 0);
	say(" child %d", WEXITSTATUS(status));
}

/* Runs the rival, whose only socket is its own. */
static _Noreturn void be_rival(const int orders[2], const int answers[2], int fd, bool listens)
{
	int error = bind_there(fd) < 0 ? errno : 0;

	if (error == 0 && listens && listen(fd, 1) < 0)
		error = errno;
	close(orders[1]);
	for (int i = 0; i < HOLDERS; i++)
		close(holders[i]);
	_exit(write(answers[1], &error, sizeof(error)) < 0 || read(orders[0], &error, 1) < 0);
}

/* Two processes share the address, like the old and the new server while a service restarts. */
static void meet_rival(int unused)
{
	const bool listens = one_in(2) && type == SOCK_STREAM;
	int orders[2], answers[2], error = -1, fd;

	(void)unused;
	if (rival || pipe(orders) < 0 || pipe(answers) < 0)
		return;
	say(" rival");
	fd = socket(domain, type, 0);
	set_sharing(fd);
	rival = fork();
	if (rival == 0)
		be_rival(orders, answers, fd, listens);
	close(fd);
	close(orders[0]);
	close(answers[1]);
	told = orders[1];
	if (read(answers[0], &error, sizeof(error)) < 0)
		_exit(4);
	close(answers[0]);
	say(" %d", error);
}

static void end_rival(int unused)
{
	(void)unused;
	if (!rival)
		return;
	say(" end of the rival");
	close(told);
	waitpid(rival, NULL, 0);
	rival = 0;
}

/* The port is in use as long as a child has the socket, too. */
static void leave_to_child(int at)
{
	char byte;
	int ends[2];
	pid_t child;

	if (holders[at] < 0 || pipe(ends) < 0)
		return;
	say(" leave");
	child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit((int)read(ends[0], &byte, 1));
	}
	close(ends[0]);
	give_back(at);
	take(at);
	close(ends[1]);
	waitpid(child, NULL, 0);
	take(at);
}

static void listen_there(int at)
{
	say(" listen");
	SAY_CALL(listen(holders[at], 1));
}

static void serve(int at)
{
	int set;

	/* With several sockets at one port, the one that gets a client is random. */
	if (port_of(holders[at]) == 0 || option_of(holders[at], SOL_SOCKET, SO_REUSEPORT, 1))
		return;
	set = epoll_create1(EPOLL_CLOEXEC);
	talk_to(holders[at], set);
	close(set);
}

void step_probe(void)
{
	static void (*const ways[])(int at) = {
	    take,         take,           take,  take,        take,          give_back,
	    give_back,    give_back,      ask,   choose_type, take_by_child, listen_there,
	    listen_there, leave_to_child, serve, meet_rival,  end_rival};

	if (sequence.jailed)
		return;
	say("probe");
	place.in.sin_port = htons(one_in(2) ? 0 : a_port());
	choose_type(0);
	for (int i = 0; i < HOLDERS; i++)
		holders[i] = -1;
	for (int i = 0; i < CALLS_MAX; i++) {
		const int at = (int)below(HOLDERS);

		say(" %d:", at);
		ONE_OF(ways)(at);
	}
	end_rival(0);
	for (int i = 0; i < HOLDERS; i++) {
		if (holders[i] >= 0)
			close(holders[i]);
	}
}
