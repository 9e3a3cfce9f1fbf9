/* SPDX-License-Identifier: MIT */
/* step_armed.c - registrations that fire and are armed again, before and after bind */
#include "differ/differ.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SETS          4
#define COPIES        8
#define LONGEST       24 /* calls before the bind, and after it */
#define EPIOCSPARAMS_ _IOW(0x8a, 1, struct params)
#define EPIOCGPARAMS_ _IOR(0x8a, 2, struct params)

struct params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, unused;
};

static int sets[SETS], numbers[2]; /* two numbers of one socket */
static int copies[COPIES], copies_count;

static uint32_t flags(void)
{
	static const uint32_t wanted[] = {EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, 0,
	                                  EPOLLIN | EPOLLRDHUP};
	static const uint32_t modes[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT};

	if (one_in(8))
		return EPOLLEXCLUSIVE | EPOLLIN | (one_in(2) ? EPOLLET : 0);
	return ONE_OF(wanted) | ONE_OF(modes);
}

static void change_set(void)
{
	static const int operations[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_MOD,
	                                 EPOLL_CTL_DEL};
	const int set = ONE_OF(sets), operation = ONE_OF(operations);
	const bool nests = one_in(4);
	const int fd = nests ? ONE_OF(sets) : ONE_OF(numbers);
	/* An edge reported twice would make a set around this one fire. */
	struct epoll_event event = {.events = nests ? EPOLLIN : flags(), .data.u64 = below(100)};

	say(" ctl %d %d %d %x", set, operation, fd, event.events);
	SAY_CALL(epoll_ctl(set, operation, fd, &event));
}

static int wait_some(int set, struct epoll_event *events, int room)
{
	const int64_t soon[2] = {0, one_in(2) ? 100000 : 0}; /* seconds, and nanoseconds */
	sigset_t *none = NULL;

	switch (below(3)) {
	case 0:
		return epoll_wait(set, events, room, 0);
	case 1:
		return epoll_pwait(set, events, room, (int)below(2), none);
	default:
		return (int)syscall(441 /* epoll_pwait2 */, set, events, room, soon, none, 8);
	}
}

static void wait_in(int set)
{
	struct epoll_event events[8];

	say(" wait %d", set);
	say_events(events, wait_some(set, events, 8));
}

static void wait_one(void)
{
	wait_in(ONE_OF(sets));
}

static void set_params(void)
{
	struct params params = {
	    .usecs = below(100), .budget = (uint16_t)below(100), .prefer = (uint8_t)below(3)};
	const int set = ONE_OF(sets);

	say(" params %d", set);
	SAY_CALL(ioctl(set, EPIOCSPARAMS_, &params));
	SAY_CALL(ioctl(set, EPIOCGPARAMS_, &params));
	say(" %u %u %u", params.usecs, params.budget, params.prefer);
}

/* From here on the copy is used. The first number stays open: a fired EPOLLONESHOT is known
 * under it only (xbind(7)). */
static void copy_set(void)
{
	const size_t i = below(SETS);

	if (copies_count == COPIES)
		return;
	copies[copies_count++] = sets[i];
	sets[i] = dup(sets[i]);
	say(" dup of %d is %d", copies[copies_count - 1], sets[i]);
}

static void poll_sets(void)
{
	struct pollfd entries[SETS + 2];
	const struct timespec now = {0};

	for (int i = 0; i < SETS + 2; i++)
		entries[i] =
		    (struct pollfd){.fd = i < SETS ? sets[i] : numbers[i - SETS], .events = POLLIN};
	before_call();
	say(" poll");
	say_result(ppoll(entries, SETS + 2, &now, NULL));
	for (int i = 0; i < SETS + 2; i++)
		say(" %x", (unsigned)entries[i].revents);
}

static void talk(void)
{
	union address address;
	socklen_t len;
	char bytes[4];

	if (!address_of(numbers[0], &address, &len) || port_of(numbers[0]) == 0)
		return;
	before_call();
	if (one_in(2)) {
		say(" send");
		say_result(
		    sendto(numbers[0], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, &address.any, len));
	} else {
		say(" receive");
		say_result(recv(numbers[0], bytes, sizeof(bytes), MSG_DONTWAIT));
	}
}

static void do_some(void)
{
	static void (*const ways[])(void) = {change_set, change_set, change_set, wait_one, wait_one,
	                                     set_params, poll_sets,  copy_set,   talk,     talk};

	for (int i = 0; i < LONGEST && !one_in(LONGEST); i++)
		ONE_OF(ways)();
}

static void bind_it(int type)
{
	union address address = {
	    .in = {.sin_family = AF_INET,
	           .sin_port = htons(a_port()),
	           .sin_addr.s_addr = htonl(one_in(8) ? 0xc0000201 : INADDR_LOOPBACK)}};

	say(" bind");
	before_call();
	if (type == SOCK_STREAM && one_in(4) && !sequence.partial)
		say_result(listen(ONE_OF(numbers), 1));
	else
		say_result(bind(ONE_OF(numbers), &address.any, sizeof(address.in)));
}

void step_armed(void)
{
	const int type = one_in(3) ? SOCK_STREAM : SOCK_DGRAM;

	copies_count = 0;
	for (int i = 0; i < SETS; i++)
		sets[i] = epoll_create1(EPOLL_CLOEXEC);
	numbers[0] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	numbers[1] = dup(numbers[0]);
	say("armed %d", type);
	do_some();
	/* An edge that was reported is reported again when its socket moves: xbind(7). */
	bind_it(type);
	for (int i = 0; i < 2 * SETS; i++) {
		struct epoll_event events[8];
		epoll_wait(sets[i % SETS], events, 8, 0);
	}
	do_some();
	for (int i = 0; i < SETS; i++)
		wait_in(sets[i]);
	for (int i = 0; i < SETS; i++)
		close(sets[i]);
	for (int i = 0; i < copies_count; i++)
		close(copies[i]);
	close(numbers[0]);
	close(numbers[1]);
}
