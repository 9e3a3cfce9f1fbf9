/* SPDX-License-Identifier: MIT */
/* server.h - a small server for tests, which can misbehave */
#ifndef SUPPORT_SERVER_H
#define SUPPORT_SERVER_H

/* What the server does with a request. */
enum server_mode {
	SERVER_GOOD,
	SERVER_SILENT,       /* takes the request and never replies */
	SERVER_LINGERS,      /* replies correctly and never closes the connection */
	SERVER_STALLS,       /* closes late for its first client, and a little for a later one */
	SERVER_CLOSES,       /* closes the connection instead of replying */
	SERVER_MISSES,       /* sees only the end of the stream if it comes with the request */
	SERVER_EMPTY,        /* an empty reply */
	SERVER_SHORT,        /* a truncated reply */
	SERVER_REFUSES,      /* refuses with EPERM */
	SERVER_LATER_SILENT, /* replies to the first request of each connection, and to no other */
	SERVER_LATER_SHORT,  /* the same, but later replies are truncated */
	SERVER_LATER_SLOW,   /* delays each reply of a connection but the first */
	SERVER_MODES,
};

#define SERVER_STALLS_AGAIN 20 /* clients before the later one */

/* The mode of that name (good, silent, closes, ...), SERVER_MODES if there is none. */
enum server_mode server_mode_named(const char *name);

/**
 * server_run() - serve for ever, in the namespace of the caller
 * @listener: a listening SOCK_SEQPACKET socket
 * @mode:     what to do with each request
 */
_Noreturn void server_run(int listener, enum server_mode mode);

#endif
