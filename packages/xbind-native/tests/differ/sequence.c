/* SPDX-License-Identifier: MIT */
/* sequence.c - the steps of a seed, in their order */
#include "differ/differ.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_PORT  10000
#define SEEDS_APART 4000 /* seeds until ports are reused */

struct sequence sequence;

static const struct {
	void (*run)(void);
	int weight;
	int where;
} steps[] = {
    {step_socket, 20, IN_ANY | IN_CALM},
    {step_pair, 2, IN_ANY},
    {step_bind, 30, IN_ANY | IN_CALM},
    {step_reserved, 3, IN_ANY},
    {step_listen, 10, IN_ANY | IN_CALM},
    {step_connect, 10, IN_ANY},
    {step_accept, 5, IN_ANY},
    {step_names, 3, IN_ANY},
    {step_shutdown, 3, IN_ANY},
    {step_send, 10, IN_ANY},
    {step_receive, 8, IN_ANY},
    {step_vector, 6, IN_ANY},
    {step_option_common, 20, IN_ANY | IN_CALM | IN_CHILD},
    {step_option_any, 15, IN_ANY | IN_CALM | IN_CHILD},
    {step_option_shaped, 15, IN_ANY},
    {step_option_default, 12, IN_ANY | IN_CALM | IN_CHILD},
    {step_option_read, 5, IN_ANY},
    {step_options_all, 1, IN_ANY},
    {step_dup, 6, IN_ANY},
    {step_close, 4, IN_ANY},
    {step_close_range, 1, 0},
    {step_fcntl, 10, IN_ANY},
    {step_ioctl, 5, IN_ANY},
    {step_stat, 3, IN_ANY},
    {step_told, 8, IN_ANY},
    {step_chown, 3, IN_ANY},
    {step_pass, 1, IN_ANY},
    {step_fork, 1, 0},
    {step_exec, 2, 0},
    {step_share, 1, 0},
    {step_chroot, 1, IN_ANY},
    {step_unshare, 1, 0},
    {step_isolate, 1, 0},
    {step_set, 4, IN_ANY | IN_CALM},
    {step_control, 15, IN_ANY | IN_CALM | IN_CHILD},
    {step_wait, 12, IN_ANY},
    {step_poll, 6, IN_ANY},
    {step_waiter, 1, 0},
    {step_apart, 2, 0},
    {step_crowd, 2, 0},
    {step_refuse, 1, 0},
    {step_groups, 3, IN_ANY | IN_CALM},
    {step_odd, 8, IN_ANY},
    {step_stay, 3, IN_ANY | IN_CALM},
    {step_armed, 3, IN_ANY},
    {step_flight, 2, IN_ANY},
    {step_keyed, 4, IN_ANY},
    {step_signalled, 2, IN_ANY},
    {step_served, 3, 0},
    {step_raced, 2, 0},
    {step_heard, 3, IN_ANY},
    {step_probe, 3, 0},
};

uint16_t first_port(uint64_t seed)
{
	return (uint16_t)(FIRST_PORT + seed % SEEDS_APART * PORTS);
}

bool seed_is_partial(uint64_t seed)
{
	return seed % 4 >= 2 && !getenv("DIFFER_THERE");
}

static void run_step(int number)
{
	int all = 0, at;

	random_start(sequence.seed, (uint64_t)number);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		all += steps[i].weight;
	at = (int)below((uint32_t)all);
	say("%d%s ", number, turn.is_child ? " child" : "");
	for (size_t i = 0; at >= 0; i++) {
		at -= steps[i].weight;
		if (at < 0)
			run_somewhere(steps[i].run, steps[i].where);
	}
	say_signals();
	end_line();
}

static void show_end(void)
{
	for (int i = 0; i < SLOTS; i++) {
		int fd = sequence.slots[i];
		union address address;
		socklen_t len;

		if (fd < 0)
			continue;
		say("end %d", fd);
		show_state(fd);
		if (address_of(fd, &address, &len))
			say_address(&address, len);
		if (is_socket(fd) && !has_other_defaults(fd))
			show_options(fd);
		end_line();
	}
}

int sequence_go_on(void)
{
	for (; sequence.next < sequence.count; sequence.next++) {
		if (sequence.dropped[sequence.next] == '1' || !turn_begin(sequence.next))
			continue;
		run_step(sequence.next);
		turn_end();
	}
	if (turn.is_child)
		turn_wait();
	show_end();
	if (!turn.is_child)
		turn_end();
	return turn_join();
}

void say_left(char *text, size_t size)
{
	int len = snprintf(text, size, "%d %d %d %d %d %d", sequence.next, sequence.held,
	                   turn.other, turn.give, turn.take, turn.is_child);

	for (int i = 0; i < SLOTS; i++)
		len += snprintf(text + len, size - (size_t)len, " %d", sequence.slots[i]);
}

static int next_number(const char **text)
{
	char *end;
	long number = strtol(*text, &end, 10);

	*text = end;
	return (int)number;
}

static void take_up(const char *left)
{
	sequence.next = next_number(&left);
	sequence.held = next_number(&left);
	turn.other = next_number(&left);
	turn.give = next_number(&left);
	turn.take = next_number(&left);
	turn.is_child = next_number(&left);
	for (int i = 0; i < SLOTS; i++)
		sequence.slots[i] = next_number(&left);
	say("in the new program");
	end_line();
	turn_end();
	sequence.next++;
}

/* Drops all capabilities, also as root and for programs executed later, since most programs have
 * none. */
static void give_up_power(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) < 0 ||
	    syscall(SYS_capset, &header, data) < 0)
		_exit(8);
}

int sequence_run(uint64_t seed, const char *dropped, const char *left)
{
	const char *published = getenv("DIFFER_PUBLISHED");

	sequence.seed = seed;
	sequence.dropped = dropped;
	sequence.first_port = first_port(seed);
	sequence.first_published = published ? (uint16_t)atoi(published) : sequence.first_port;
	sequence.partial = seed_is_partial(seed);
	sequence.away = getenv("DIFFER_AWAY") != NULL;
	sequence.apart = getenv("DIFFER_APART") != NULL;
	sequence.there = getenv("DIFFER_THERE") != NULL;
	random_start(seed, 1000);
	sequence.count = 8 + (int)below(STEPS_MAX - 8);
	/* After exec nobody knows which options were set to the default at home. */
	sequence.execs = one_in(3) && !sequence.there;
	if (left) {
		take_up(left);
	} else {
		setpgid(0, 0); /* this group may be sent signals */
		if (seed % 3 == 1)
			give_up_power();
		for (int i = 0; i < SLOTS; i++)
			sequence.slots[i] = -1;
	}
	return sequence_go_on();
}
