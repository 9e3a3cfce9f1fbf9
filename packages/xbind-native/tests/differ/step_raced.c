/* SPDX-License-Identifier: MIT */
/* step_raced.c - what another thread does during a bind takes effect before or after the bind */
#include "differ/differ.h"
#include "support/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS    3
#define DELAY_US 800        /* microseconds; about as long as a bind takes */
#define NOBODY   9          /* an unused port */
#define GROUP    0xefa00009 /* 239.160.0.9 */

enum order { BEFORE, AFTER, TOGETHER };

/* The results of the calls, and the state of the socket afterwards. */
struct result {
	int bound, bind_error, acted, act_error;
	int port, option, events, ready, peer, listens, joined, copied, filtered;
};

static int fd, set, copy, ends[2];
static pid_t child;
static int type, level, name, value, shut_how;
static uint32_t mode; /* events of its registration */
static bool is_registered, has_fired;
static uint16_t port;

static int set_option(void)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int control(int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = events};

	return epoll_ctl(set, operation, fd, &event);
}

static int add(void)
{
	return control(EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | mode);
}

static int modify(void)
{
	return control(EPOLL_CTL_MOD, EPOLLIN | mode);
}

static int delete(void)
{
	return control(EPOLL_CTL_DEL, 0);
}

static int shut(void)
{
	return shutdown(fd, shut_how);
}

static int duplicate(void)
{
	copy = dup(fd);
	return copy < 0 ? -1 : 0;
}

/* Replaces the socket by another one, or by a file that is not a socket. */
static int replace(void)
{
	int other = value % 2 ? socket(AF_INET, type | SOCK_NONBLOCK, 0) : eventfd(0, EFD_NONBLOCK);
	int rc = dup2(other, fd);

	close(other);
	return rc < 0 ? -1 : 0;
}

/* A child keeps a copy until the result is known. */
static int fork_it(void)
{
	char byte;

	child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit((int)read(ends[0], &byte, 1));
	}
	return child < 0 ? -1 : 0;
}

static int listen_too(void)
{
	return listen(fd, 1);
}

static int bind_too(void)
{
	return pair_bind(fd, port);
}

static int connect_it(void)
{
	return type == SOCK_DGRAM ? pair_connect(fd, NOBODY) : 0;
}

/* Sending gives the socket a port. */
static int send_it(void)
{
	return type == SOCK_DGRAM ? pair_send(fd, NOBODY) : 0;
}

static int bind_copy(void)
{
	duplicate();
	return pair_bind(copy, port);
}

static int close_it(void)
{
	return close(fd);
}

static int join(void)
{
	return pair_join_group(fd, GROUP);
}

static int leave(void)
{
	const struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(GROUP), .imr_ifindex = 1};

	return setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof(group));
}

static int filter(void)
{
	struct sock_filter code = {BPF_RET | BPF_K, 0, 0, 60};
	const struct sock_fprog program = {1, &code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static const struct way {
	const char *name;
	int (*act)(void);
} ways[] = {{"set", set_option},     {"set", set_option},          {"add", add},
            {"modify", modify},      {"delete", delete},           {"shut", shut},
            {"dup", duplicate},      {"listen", listen_too},       {"bind", bind_too},
            {"connect", connect_it}, {"close", close_it},          {"join", join},
            {"leave", leave},        {"replace", replace},         {"fork", fork_it},
            {"send", send_it},       {"bind the copy", bind_copy}, {"filter", filter}};
static const struct way *way;
static int delay_us;
static struct result result;

static void *act_soon(void *unused)
{
	usleep((useconds_t)delay_us);
	result.acted = way->act();
	result.act_error = result.acted < 0 ? errno : 0;
	return unused;
}

static void bind_it(void)
{
	result.bound = pair_bind(fd, port);
	result.bind_error = result.bound < 0 ? errno : 0;
}

static void look(void)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
	struct epoll_event event = {0};
	union address peer;
	socklen_t len = sizeof(int);

	result.port = port_of(fd) != 0;
	/* An option that was not set may have the default of another namespace. */
	if (way->act == set_option)
		getsockopt(fd, level, name, &result.option, &len);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &result.listens, &len);
	poll(&entry, 1, 0);
	result.ready = entry.revents;
	if (epoll_wait(set, &event, 1, 0) > 0)
		result.events = (int)(event.events | event.data.u64 << 16);
	len = sizeof(peer.storage);
	result.peer = getpeername(fd, &peer.any, &len);
	result.joined = join();
	len = 0;
	result.filtered = getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len) < 0 ? -1 : (int)len;
	result.copied = copy < 0 ? 0 : 1 + (port_of(copy) == port_of(fd));
}

static struct result run(enum order order)
{
	struct epoll_event event;
	pthread_t thread;

	result = (struct result){0};
	copy = -1;
	fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	set = epoll_create1(EPOLL_CLOEXEC);
	if (is_registered)
		add();
	if (has_fired)
		epoll_wait(set, &event, 1, 0);
	if (way->act == leave)
		join();
	if (pipe2(ends, O_CLOEXEC) < 0)
		_exit(4);
	child = 0;
	delay_us = order == TOGETHER ? (int)below(DELAY_US) : 0;
	if (order == BEFORE)
		act_soon(NULL);
	if (order == TOGETHER && pthread_create(&thread, NULL, act_soon, NULL) != 0)
		_exit(5);
	bind_it();
	if (order == TOGETHER)
		pthread_join(thread, NULL);
	if (order == AFTER)
		act_soon(NULL);
	look();
	if (copy >= 0)
		close(copy);
	close(fd);
	close(set);
	close(ends[0]);
	close(ends[1]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return result;
}

static void say_outcome(const struct result *one)
{
	say(" {bind %d %d call %d %d port %d option %d events %x ready %x", one->bound,
	    one->bind_error, one->acted, one->act_error, one->port, one->option,
	    (unsigned)one->events, (unsigned)one->ready);
	say(" peer %d listens %d joined %d copied %d filtered %d}", one->peer, one->listens,
	    one->joined, one->copied, one->filtered);
}

void step_raced(void)
{
	static const int rows[][2] = {{SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_BROADCAST},
	                              {SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_RCVBUF},
	                              {SOL_SOCKET, SO_PRIORITY},  {IPPROTO_IP, IP_TTL},
	                              {IPPROTO_IP, IP_TOS},       {IPPROTO_IP, IP_PKTINFO}};
	static const uint32_t modes[] = {0, 0, EPOLLET, EPOLLONESHOT, EPOLLONESHOT};
	const size_t row = below(sizeof(rows) / sizeof(rows[0]));
	struct result results[3];

	if (sequence.jailed) /* a closed socket may be in a set for a moment */
		return;
	way = &ONE_OF(ways);
	if (turn.other && way->act == fork_it)
		return;
	type = one_in(2) ? SOCK_STREAM : SOCK_DGRAM;
	level = rows[row][0];
	name = rows[row][1];
	value = 1 + (int)below(5);
	shut_how = (int)below(3);
	is_registered = one_in(2);
	mode = ONE_OF(modes);
	/* An edge that was reported is reported again when its socket moves: xbind(7). */
	has_fired = one_in(2) && mode != EPOLLET;
	port = a_port();
	say("raced %s %d", way->name, type);
	results[BEFORE] = run(BEFORE);
	results[AFTER] = run(AFTER);
	for (int i = 0; i < TURNS; i++) {
		results[TOGETHER] = run(TOGETHER);
		if (memcmp(&results[TOGETHER], &results[BEFORE], sizeof(struct result)) == 0 ||
		    memcmp(&results[TOGETHER], &results[AFTER], sizeof(struct result)) == 0)
			continue;
		say(" neither");
		say_outcome(&results[TOGETHER]);
	}
	say_outcome(&results[BEFORE]);
	say_outcome(&results[AFTER]);
}
