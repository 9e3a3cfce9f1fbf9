/* SPDX-License-Identifier: MIT */
/*
 * fuzz_portlist.c - any text as XBIND
 *
 * Checks that the words lie in the text in order, and that the tables that config.c fills answer as
 * the words do one by one. config.c is included, since what fills its tables is static.
 */
#include "../src/xbind/config.c" // NOLINT

#include <stddef.h>
#include <stdio.h>

#define TEXT_BYTES_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static void check_words(const char *text)
{
	const char *cursor = text, *end = text;
	struct portlist_word word;
	struct portlist_rule rule;
	int rc;

	while ((rc = portlist_next(&cursor, &word, &rule)) != 0) {
		require(word.text >= end && word.len > 0, "words follow each other");
		end = word.text + word.len;
		require(cursor == end && end <= text + strlen(text),
		        "the cursor is behind the word");
		if (rc < 0)
			continue;
		require(rule.first <= rule.last, "a range goes upwards");
		require(rule.tcp || rule.udp, "a word is for some protocol");
		require(rule.published == rule.first || rule.first == rule.last,
		        "only single ports are published as another");
	}
	require(*cursor == '\0', "the list is read to its end");
}

/* The first of several publications counts. */
static bool match_in_list(enum config_proto proto, uint16_t port, uint16_t *ret_port)
{
	const char *list = variable("XBIND", "");
	struct portlist_rule rule;
	struct portlist_word word;
	bool listed = false;
	uint16_t shift = 0;
	int rc;

	while ((rc = portlist_next(&list, &word, &rule)) != 0) {
		if (rc < 0 || !covers(&rule, proto) || port < rule.first || port > rule.last)
			continue;
		listed = true;
		if (shift == 0)
			shift = shift_of(&rule);
	}
	if (listed)
		*ret_port = (uint16_t)(port + shift);
	return listed;
}

/* Does a word list every port of a protocol? With CONFIG_PROTOS: does any list a port? */
static bool list_has(enum config_proto every)
{
	const char *list = variable("XBIND", "");
	struct portlist_rule rule;
	struct portlist_word word;
	int rc;

	while ((rc = portlist_next(&list, &word, &rule)) != 0) {
		if (rc > 0 && (every == CONFIG_PROTOS || (rule.every && covers(&rule, every))))
			return true;
	}
	return false;
}

static void check_port(enum config_proto proto, uint16_t port)
{
	uint16_t kept_as = 0, listed_as = 0;

	atomic_store(&is_read, true);
	require(config_match(proto, port, &kept_as) == match_in_list(proto, port, &listed_as) &&
	            kept_as == listed_as,
	        "the tables say what the list says");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[TEXT_BYTES_MAX + 1];
	struct portlist_word word;
	struct portlist_rule rule;
	const char *cursor = text;
	int rc;

	if (len > TEXT_BYTES_MAX)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	check_words(text);
	setenv("XBIND", text, 1);
	memset(&kept, 0, sizeof(kept));
	keep_ports(text);
	while ((rc = portlist_next(&cursor, &word, &rule)) != 0) {
		for (int proto = 0; rc > 0 && proto < CONFIG_PROTOS; proto++) {
			check_port((enum config_proto)proto, rule.first);
			check_port((enum config_proto)proto, rule.last);
			check_port((enum config_proto)proto, (uint16_t)(rule.last + 1));
			check_port((enum config_proto)proto, (uint16_t)(rule.first - 1));
			check_port((enum config_proto)proto, rule.published);
		}
	}
	require(kept.any == list_has(CONFIG_PROTOS), "any agrees");
	for (int proto = 0; proto < CONFIG_PROTOS; proto++)
		require(kept.all[proto] == list_has((enum config_proto)proto), "all agrees");
	return 0;
}
