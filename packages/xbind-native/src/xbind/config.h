/* SPDX-License-Identifier: MIT */
/*
 * config.h - what XBIND, XSOCKET and XBIND_LOG say
 *
 * Read once, by secure_getenv(3). Every function may be called before constructors have run, from
 * any thread, in a signal handler and in a forked child. None of them allocates, touches errno, or
 * blocks for longer than reading the environment takes.
 */
#ifndef XBIND_CONFIG_H
#define XBIND_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum config_proto {
	CONFIG_TCP,    /* MPTCP too */
	CONFIG_UDP,    /* UDP-Lite too */
	CONFIG_PROTOS, /* their number; where a protocol is expected, an unknown one */
};

/**
 * config_match() - is the program's port listed?
 * @proto:    kind of the socket
 * @port:     port that the program binds, in host order
 * @ret_port: port to bind in the target namespace, in host order; written only when listed
 */
bool config_match(enum config_proto proto, uint16_t port, uint16_t *ret_port);

/*
 * Is XBIND "*" for this protocol? Then sockets of another namespace than the program was started in
 * stay there, and a listen() without bind moves too.
 */
bool config_all(enum config_proto proto);

/* Is one of the ports from first to last listed, for whichever protocol? */
bool config_lists(uint16_t first, uint16_t last);

/*
 * Is this the first copy of the library? ld.so.preload and LD_PRELOAD together may load two. For
 * any other copy no port is listed, so that only the first moves sockets.
 */
bool config_is_first(void);

/* Is any port listed at all? If not, the library has nothing to do. */
bool config_any(void);

/* The control socket as XSOCKET names it, else the default. */
const char *config_socket(void);

/* What address_any_server() returned. */
bool config_any_server(void);

/* The time that a handover may take, in milliseconds: XSOCKET_TIMEOUT_MS, else the default. */
int config_wait_ms(void);

/* The descriptor that XBIND_LOG asks for, -1 for none. */
int config_log_fd(void);

/* Reads the environment, and reports on stderr what cannot be read: for the constructor. */
void config_load(void);

#endif
