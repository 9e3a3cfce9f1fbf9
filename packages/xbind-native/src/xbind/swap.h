/* SPDX-License-Identifier: MIT */
/* swap.h - put a socket of the target namespace in the place of the program's own */
#ifndef XBIND_SWAP_H
#define XBIND_SWAP_H

#include "xbind/kind.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SWAP_E_LEAVE 1 /* not a case for us: do as without the library */

/* The call that the program has made, to be run on the new socket, and the socket of its own. */
struct swap_call {
	int fd;           /* the number that the program gave */
	socket_key key;   /* of the socket, by which it is found if fd is another file by now */
	struct kind kind; /* of the socket; the new one is made as this */
	bool listen;      /* listen(2) with backlog, else bind(2) with addr and len */
	int backlog;
	const void *addr;
	socklen_t len;
	uint16_t port;      /* the program's, in host order: for the log */
	uint16_t published; /* that of the target namespace */
};

/**
 * swap_socket() - move a socket to the target namespace and run a call on it there
 * @call: what runs on the new socket before it takes the old one's place
 *
 * Return: what the call gave (0); SWAP_E_LEAVE when the socket is bound already; -errno of the call
 *         or of what comes before it. On failure the program's socket is untouched.
 */
int swap_socket(const struct swap_call *call);

/* Is this thread running the program's call on this socket? A bind of it now comes from another
 * library, one that stands in front of libc. */
bool swap_runs(int fd);

#endif
