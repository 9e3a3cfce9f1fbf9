/* SPDX-License-Identifier: MIT */
#include "xbind/portlist.h"

#include <errno.h>
#include <string.h>

/* Not isspace(3): that asks the locale, which may be half set up. */
static bool is_separator(char c)
{
	return c != '\0' && strchr(" ,\t\n\v\f\r", c);
}

/* Takes decimal digits from the front of the word; false when there are none or too many. */
static bool take_port(struct portlist_word *word, uint16_t *ret)
{
	uint32_t value = 0;
	size_t i;

	for (i = 0; i < word->len && word->text[i] >= '0' && word->text[i] <= '9'; i++) {
		value = value * 10 + (uint32_t)(word->text[i] - '0');
		if (value > UINT16_MAX)
			return false;
	}
	word->text += i;
	word->len -= i;
	*ret = (uint16_t)value;
	return i > 0;
}

static bool take_text(struct portlist_word *word, const char *text)
{
	size_t len = strlen(text);

	if (word->len < len || memcmp(word->text, text, len) != 0)
		return false;
	word->text += len;
	word->len -= len;
	return true;
}

/* The part behind the protocol. */
static bool take_ports(struct portlist_word *word, struct portlist_rule *rule)
{
	uint16_t left;

	if (take_text(word, "*")) {
		rule->every = true;
		rule->last = UINT16_MAX;
		return true;
	}
	if (!take_port(word, &left))
		return false;
	rule->first = rule->last = rule->published = left;
	if (take_text(word, "-"))
		return take_port(word, &rule->last) && rule->last >= left;
	if (!take_text(word, ":"))
		return true;
	if (!take_port(word, &rule->first))
		return false;
	rule->last = rule->first;
	return true;
}

static bool parse_word(struct portlist_word word, struct portlist_rule *ret)
{
	struct portlist_rule rule = {.tcp = true, .udp = true};

	if (take_text(&word, "tcp/"))
		rule.udp = false;
	else if (take_text(&word, "udp/"))
		rule.tcp = false;
	if (!take_ports(&word, &rule) || word.len > 0)
		return false;
	*ret = rule;
	return true;
}

int portlist_next(const char **cursor, struct portlist_word *ret_word,
                  struct portlist_rule *ret_rule)
{
	struct portlist_word word;

	while (is_separator(**cursor))
		(*cursor)++;
	if (**cursor == '\0')
		return 0;
	word.text = *cursor;
	while (**cursor != '\0' && !is_separator(**cursor))
		(*cursor)++;
	word.len = (size_t)(*cursor - word.text);
	*ret_word = word;
	return parse_word(word, ret_rule) ? 1 : -EINVAL;
}
