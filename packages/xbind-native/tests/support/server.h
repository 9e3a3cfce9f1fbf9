/* SPDX-License-Identifier: MIT */
/* server.h - a small server for tests, which can also misbehave */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

/* What the server does with a request. */
enum server_mode {
	SERVER_GOOD,
	SERVER_SILENT,        /* takes the request and never answers */
	SERVER_LINGERS,       /* answers well and never closes the connection */
	SERVER_STALLS,        /* delays its first client for long, and a later one a little */
	SERVER_CLOSES,        /* closes instead of answering */
	SERVER_MISSES,        /* sees only the end of the stream when it comes with the request */
	SERVER_EMPTY,         /* an empty packet */
	SERVER_SHORT,         /* a reply cut short */
	SERVER_LONG,          /* a reply with a byte too many */
	SERVER_SIGNATURE,     /* a reply with a request's signature */
	SERVER_NO_FD,         /* success without a descriptor */
	SERVER_TWO_FDS,       /* success with two */
	SERVER_ERROR_WITH_FD, /* failure with a descriptor */
	SERVER_PIPE,          /* a descriptor that is no socket */
	SERVER_OTHER_FAMILY,  /* a socket of another family */
	SERVER_OTHER_TYPE,    /* a socket of another type */
	SERVER_BOUND,         /* a socket that is already bound */
	SERVER_LISTENING,     /* a socket that already listens */
	SERVER_FILTERED,      /* a socket with a filter on it */
	SERVER_REFUSES,       /* answers EPERM */
	SERVER_LATER_SILENT,  /* answers the first request of each connection well, no other */
	SERVER_LATER_SHORT,   /* the same, the others with a reply cut short */
	SERVER_LATER_SLOW,    /* answers the second request a while after it */
	SERVER_MODES,
};

#define SERVER_STALLS_AGAIN 20 /* clients before that one */

/* The mode of that name (good, silent, closes, ...), SERVER_MODES when there is none. */
enum server_mode server_mode_named(const char *name);

/**
 * server_run() - serve for ever, in the namespace of the caller
 * @listener: a listening SOCK_SEQPACKET socket
 * @mode:     what to do with each request
 */
_Noreturn void server_run(int listener, enum server_mode mode);

#endif
