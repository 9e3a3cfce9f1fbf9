/* SPDX-License-Identifier: MIT */
/*
 * options.h - every option of setsockopt(2) that an unbound TCP or UDP socket can have, as data,
 * and how one is read
 */
#ifndef XBIND_OPTIONS_H
#define XBIND_OPTIONS_H

#include "xbind/kind.h"
#include "xbind/option_rows.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define OPTION_BYTES_MAX         40   /* longest value that is compared */
#define OPTION_HEADERS_BYTES_MAX 2048 /* the kernel's limit on extension headers */

#define SO_BUF_LOCK_ 72 /* which of a socket's buffers are locked: 1 sending, 2 receiving */

/*
 * How an option gets from one socket to another. Those from OPTION_EACH on cannot be read back, so
 * the setsockopt(2) hook records them (optlog.h).
 */
enum option_how {
	OPTION_PLAIN,    /* read, and set to what was read */
	OPTION_BUFFER,   /* reads as twice what was set, and setting it turns autotuning off */
	OPTION_EFFECT,   /* a number that setting another option changes, too */
	OPTION_PRIORITY, /* SO_PRIORITY: setting IP_TOS changes it */
	OPTION_FILTER,   /* a classic filter can be read back, an extended one cannot */
	OPTION_NAME,     /* SO_BINDTODEVICE: by name, unless it was set by index */
	OPTION_INDEX,    /* SO_BINDTOIFINDEX: by index only when it was set so */
	OPTION_LINGER,   /* SO_LINGER: keeps its time after it is turned off */
	OPTION_TIME, /* SO_RCVTIMEO, SO_SNDTIMEO: a negative one means no wait, but reads as none */
	OPTION_SEGMENT, /* TCP_MAXSEG: if never set, reads as that of the last connection */
	OPTION_HEADERS, /* IP options and extension headers: of any length, mostly none */
	OPTION_REPAIR,  /* what has a value of its own only under TCP_REPAIR */
	OPTION_QUEUES,  /* TCP_QUEUE_SEQ: of the queue that TCP_REPAIR_QUEUE has chosen */
	OPTION_RECORDS, /* not an option: where those that cannot be read are set again */

	OPTION_EACH,         /* every value that was set is set again, in order */
	OPTION_LAST,         /* the last value that was set is set again */
	OPTION_MULTICAST_IF, /* the same; if it was set out of sight, its address is read */
	OPTION_LAST_FD,      /* the same; the value is the descriptor of a BPF program */
	OPTION_LAST_PROG,    /* the same; the value is a classic BPF program */
	OPTION_UNDO,         /* takes back what an OPTION_EACH or OPTION_LAST_* did */
};

enum {
	OPTION_SAFETY = 1,   /* without it the socket would be exposed more widely than asked */
	OPTION_EXPLICIT = 2, /* its default may differ between namespaces: see explicit.h */
	OPTION_BOOL = 4,     /* kept as 0 or 1, whatever number was set */
	OPTION_MPTCP_UNREADABLE = 8, /* MPTCP before Linux 6.15 takes it and cannot read it back */
	OPTION_POLICY = 16,          /* set without a value, it removes all policies */
	OPTION_ONE_SOURCE = 32,      /* joins a single source of a group */
	OPTION_ALL_SOURCES = 64,     /* lists all sources of a group, replacing an earlier list */
};

struct option {
	int16_t level;
	int16_t name;
	uint8_t how;    /* enum option_how */
	uint8_t flags;  /* OPTION_SAFETY and the others */
	int16_t other;  /* OPTION_BUFFER: its FORCE variant; OPTION_UNDO: what it undoes */
	uint16_t bytes; /* the longest value that the kernel reads or writes */
};

#define OPTION_AS_ONE(...) +1
enum { OPTIONS_COUNT = OPTION_ROWS(OPTION_AS_ONE) };

extern const struct option options[OPTIONS_COUNT];

/* What getsockopt(2) gave. */
struct option_value {
	int error;     /* 0 or -errno */
	socklen_t len; /* bytes */
	uint8_t bytes[OPTION_BYTES_MAX];
};

/* Can a socket of this kind have this option? */
bool option_applies(const struct option *option, const struct kind *kind);

/**
 * option_find() - the row of an option
 *
 * SO_RCVTIMEO and SO_SNDTIMEO have a second name each, which leads to the same row.
 *
 * Return: its index in options[], -1 when it is not listed. Constant time.
 */
int option_find(int level, int name);

void option_read(int fd, const struct option *option, struct option_value *ret);

/* Has this socket no such option? Then nobody has set it. */
bool option_is_missing(const struct option_value *value);

/*
 * Does this error of getsockopt(2) hide whether the option was set? One of a seccomp filter does.
 * But an option that the socket does not have, or not in its present state (EINVAL), was not set.
 */
bool option_is_hidden(int error);

bool option_is_same(const struct option_value *a, const struct option_value *b);

/* The value of an option that is a number, 0 where it cannot be read. */
int option_number(int fd, int level, int name);

#endif
