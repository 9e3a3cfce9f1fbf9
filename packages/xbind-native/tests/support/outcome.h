/* SPDX-License-Identifier: MIT */
/* outcome.h - print the results of setsockopt and bind, for pair -c */
#ifndef SUPPORT_OUTCOME_H
#define SUPPORT_OUTCOME_H

#include "support/pair.h"

static inline void show(const char *what, int rc)
{
	const int error = error_of(rc);

	printf("%s: %s\n", what, error ? strerror(error) : "ok");
}

static inline void set(const char *what, int fd, int level, int name, const void *value,
                       socklen_t len)
{
	show(what, setsockopt(fd, level, name, value, len));
}
/* The same for a value that is a variable. */
#define SET(what, fd, level, name, value) set(what, fd, level, name, &(value), sizeof(value))

static inline void set_number(const char *what, int fd, int level, int name, int value)
{
	SET(what, fd, level, name, value);
}

static inline void bind_any(int fd, int domain)
{
	show("bind", pair_bind_any(fd, domain, 0));
	printf("there: %d\n", pair_is_there(fd));
}

static inline void show_number(const char *what, int fd, int name)
{
	printf("%s %d\n", what, pair_option(fd, SOL_SOCKET, name));
}

/* Makes another socket in the same namespace, connected to fd. */
static inline int new_peer(int fd, int type, int protocol)
{
	int peer = socket(AF_INET, type, protocol);

	bind_any(peer, AF_INET);
	show("connect", pair_connect(peer, pair_port(fd)));
	return peer;
}

#endif
