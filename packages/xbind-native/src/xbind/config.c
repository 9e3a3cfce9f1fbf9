/* SPDX-License-Identifier: MIT */
/*
 * config.c - the environment, read once and kept
 *
 * How it works: the first caller reads the environment into tables. So a bind only tests a bit, and
 * a program that clears or overwrites its environment (setproctitle) changes nothing. While libc
 * has no environment yet, in .preinit_array, nothing is listed, and that is not kept. Reading a
 * second time gives the same tables and does no harm. It happens in a child that was forked while
 * another thread was reading, and where the lock cannot be had, as in the handler of a fault during
 * the reading.
 */
#include "xbind/config.h"

#include "core/address.h"
#include "core/deadline.h"
#include "core/number.h"
#include "core/visibility.h"
#include "xbind/line.h"
#include "xbind/lock.h"
#include "xbind/portlist.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTS 65536

/* A longer XSOCKET is cut to this length, which address_parse() still refuses as too long. */
#define SOCKET_TEXT_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path) + 3)

static _Atomic bool is_read;
static struct config {
	uint8_t listed[CONFIG_PROTOS][PORTS / 8]; /* ports one by one; "*" sets all[] instead */
	uint16_t shift[CONFIG_PROTOS][PORTS]; /* published port minus the program's, modulo PORTS */
	bool all[CONFIG_PROTOS];
	bool any;
	int log_fd; /* as read_log_fd() gives it */
	int wait_ms;
	bool any_server;
	char socket[SOCKET_TEXT_BYTES];
} kept;

/* In every copy of the library this is the symbol of the first. */
EXPORT const void *libxbind_first = &kept;

bool config_is_first(void)
{
	return libxbind_first == &kept;
}

static bool covers(const struct portlist_rule *rule, enum config_proto proto)
{
	return proto == CONFIG_TCP ? rule->tcp : rule->udp;
}

static uint16_t shift_of(const struct portlist_rule *rule)
{
	return (uint16_t)(rule->published - rule->first);
}

static void keep_rule(const struct portlist_rule *rule, enum config_proto proto)
{
	kept.any = true;
	if (rule->every) {
		kept.all[proto] = true;
		return;
	}
	for (uint32_t port = rule->first; port <= rule->last; port++) {
		kept.listed[proto][port / 8] |= (uint8_t)(1 << port % 8);
		if (shift_of(rule) != 0 && kept.shift[proto][port] == 0)
			kept.shift[proto][port] = shift_of(rule);
	}
}

static void keep_ports(const char *list)
{
	struct portlist_rule rule;
	struct portlist_word word;
	int rc;

	while ((rc = portlist_next(&list, &word, &rule)) != 0) {
		for (int proto = 0; rc > 0 && proto < CONFIG_PROTOS; proto++) {
			if (covers(&rule, (enum config_proto)proto))
				keep_rule(&rule, (enum config_proto)proto);
		}
	}
}

/* An empty variable counts as unset. For all copies of the library but the first, all are unset. */
static const char *variable(const char *name, const char *otherwise)
{
	const char *text = config_is_first() ? secure_getenv(name) : NULL;

	return text && *text ? text : otherwise;
}

/* 1 is stderr, another number that descriptor, 0 is off. Return: 0 for off, -1 for no number. */
static int read_log_fd(void)
{
	const int fd = number_parse(variable("XBIND_LOG", "0"));

	return fd == 1 ? STDERR_FILENO : fd;
}

static void read_environment(void)
{
	keep_ports(variable("XBIND", ""));
	strncpy(kept.socket, variable("XSOCKET", ADDRESS_DEFAULT), sizeof(kept.socket) - 1);
	kept.log_fd = read_log_fd();
	kept.wait_ms = deadline_default_ms();
	kept.any_server = address_any_server();
	atomic_store_explicit(&is_read, true, memory_order_release);
}

static const struct config *config(void)
{
	static _Atomic int holder;
	static _Atomic bool again; /* only once: a getenv() may come back here by dlsym(3) */
	struct lock_turn turn;

	if (atomic_load_explicit(&is_read, memory_order_acquire) || !environ)
		return &kept;
	turn = lock_enter(&holder, LOCK_LONGEST_MS);
	if (!is_read && (turn.held || !atomic_exchange(&again, true)))
		read_environment();
	lock_leave(&turn);
	return &kept;
}

bool config_match(enum config_proto proto, uint16_t port, uint16_t *ret_port)
{
	const struct config *known = config();

	if (!known->all[proto] && !(known->listed[proto][port / 8] & 1 << port % 8))
		return false;
	*ret_port = (uint16_t)(port + known->shift[proto][port]);
	return true;
}

bool config_lists(uint16_t first, uint16_t last)
{
	uint16_t published;

	for (uint32_t port = first; port <= last; port++) {
		if (config_match(CONFIG_TCP, (uint16_t)port, &published) ||
		    config_match(CONFIG_UDP, (uint16_t)port, &published))
			return true;
	}
	return false;
}

bool config_all(enum config_proto proto)
{
	return config()->all[proto];
}

bool config_any(void)
{
	return config()->any;
}

const char *config_socket(void)
{
	return config()->socket;
}

bool config_any_server(void)
{
	return config()->any_server;
}

int config_wait_ms(void)
{
	return config()->wait_ms;
}

int config_log_fd(void)
{
	const int fd = config()->log_fd;

	return fd > 0 ? fd : -1;
}

static void report(const char *verdict, struct portlist_word word, const char *why)
{
	struct line line;

	line_start(&line);
	line_text(&line, verdict);
	line_text(&line, " \"");
	line_word(&line, word.text, word.len);
	line_text(&line, "\": ");
	line_text(&line, why);
	line_write(&line, STDERR_FILENO);
}

/* Does an earlier word publish the port of this one as another? */
static bool is_overruled(const struct portlist_rule *rule, enum config_proto proto)
{
	return shift_of(rule) != 0 && covers(rule, proto) &&
	       kept.shift[proto][rule->first] != shift_of(rule);
}

/* Return: NULL for a word that takes effect in full. */
static const char *verdict_on(const struct portlist_rule *rule)
{
	const bool tcp = is_overruled(rule, CONFIG_TCP), udp = is_overruled(rule, CONFIG_UDP);

	if (tcp == rule->tcp && udp == rule->udp)
		return "XBIND: ignoring";
	if (tcp)
		return "XBIND: ignoring for TCP";
	return udp ? "XBIND: ignoring for UDP" : NULL;
}

static void report_ports(const char *list)
{
	struct portlist_rule rule;
	struct portlist_word word;
	int rc;

	while ((rc = portlist_next(&list, &word, &rule)) != 0) {
		if (rc < 0)
			report("XBIND: cannot read", word,
			       "a word is a port (3000), a range (8000-8100), tcp/53, udp/53, "
			       "8080:3000 or *; the other words still work");
		else if (verdict_on(&rule))
			report(verdict_on(&rule), word,
			       "an earlier word publishes this port as another");
	}
}

#define TEXT_OF(words) #words
#define TEXT(constant) TEXT_OF(constant)

static void report_wait(const char *text)
{
	if (*text && number_parse(text) <= 0)
		report(
		    "XSOCKET_TIMEOUT_MS: cannot read", (struct portlist_word){text, strlen(text)},
		    "give a number of milliseconds, or leave it out for " TEXT(HANDOVER_WAIT_MS));
}

void config_load(void)
{
	const char *text = variable("XBIND_LOG", "0");

	config();
	report_ports(variable("XBIND", ""));
	report_wait(variable("XSOCKET_TIMEOUT_MS", ""));
	if (kept.log_fd < 0)
		report("XBIND_LOG: cannot read", (struct portlist_word){text, strlen(text)},
		       "give 1 for stderr, another descriptor number, or 0 for no log");
}
