/* SPDX-License-Identifier: MIT */
/* outcome.h - print the results of setsockopt and bind, for pair -c */
#ifndef SUPPORT_OUTCOME_H
#define SUPPORT_OUTCOME_H

#include "support/pair.h"

static inline int outcome(int rc)
{
	return rc < 0 ? errno : 0;
}

static inline void show(const char *what, int rc)
{
	int error = outcome(rc);

	printf("%s: %s\n", what, error ? strerror(error) : "ok");
}

static inline void set(const char *what, int fd, int level, int name, const void *value,
                       socklen_t len)
{
	show(what, setsockopt(fd, level, name, value, len));
}

static inline void bind_any(int fd, int domain)
{
	show("bind", pair_bind_any(fd, domain, 0));
	printf("there: %d\n", pair_is_there(fd));
}

#endif
