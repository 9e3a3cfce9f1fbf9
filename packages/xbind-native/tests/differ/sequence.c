/* SPDX-License-Identifier: MIT */
/* sequence.c - which steps a seed makes, one after the other */
#include "differ/differ.h"

#include <stdlib.h>
#include <unistd.h>

#define FIRST_PORT  10000
#define SEEDS_APART 4000 /* seeds until ports are used again */

struct sequence sequence;

static const struct {
	void (*run)(void);
	int weight;
} steps[] = {
    {step_socket, 20},
    {step_pair, 1},
    {step_bind, 30},
    {step_listen, 10},
    {step_connect, 10},
    {step_accept, 5},
    {step_names, 3},
    {step_shutdown, 3},
    {step_send, 10},
    {step_receive, 8},
    {step_option_common, 20},
    {step_option_any, 15},
    {step_option_shaped, 15},
    {step_option_read, 5},
    {step_options_all, 1},
    {step_dup, 6},
    {step_close, 4},
    {step_close_range, 1},
    {step_fcntl, 10},
    {step_ioctl, 5},
    {step_stat, 3},
    {step_chown, 3},
    {step_pass, 1},
    {step_fork, 1},
    {step_set, 4},
    {step_control, 15},
    {step_wait, 12},
    {step_poll, 6},
    {step_waiter, 1},
};

uint16_t first_port(uint64_t seed)
{
	return (uint16_t)(FIRST_PORT + seed % SEEDS_APART * PORTS);
}

bool seed_is_partial(uint64_t seed)
{
	return seed % 4 >= 2;
}

static void run_step(uint64_t seed, int number)
{
	int all = 0, at;

	random_start(seed, (uint64_t)number);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		all += steps[i].weight;
	at = (int)below((uint32_t)all);
	say("%d ", number);
	for (size_t i = 0; at >= 0; i++) {
		at -= steps[i].weight;
		if (at < 0)
			steps[i].run();
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
		if (is_socket(fd))
			show_options(fd);
		end_line();
	}
}

int sequence_run(uint64_t seed, const char *dropped)
{
	int count;

	setpgid(0, 0); /* which may be sent signals */
	sequence.seed = seed;
	sequence.first_port = first_port(seed);
	sequence.partial = seed_is_partial(seed);
	sequence.away = getenv("DIFFER_AWAY") != NULL;
	sequence.apart = getenv("DIFFER_APART") != NULL;
	for (int i = 0; i < SLOTS; i++)
		sequence.slots[i] = -1;
	random_start(seed, 1000);
	count = 8 + (int)below(STEPS_MAX - 8);
	for (int i = 0; i < count; i++) {
		if (dropped[i] != '1')
			run_step(seed, i);
	}
	show_end();
	return 0;
}
