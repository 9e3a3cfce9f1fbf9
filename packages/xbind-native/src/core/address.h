/* SPDX-License-Identifier: MIT */
/* address.h - where a server listens: a path, or "@name" for the abstract namespace */
#ifndef CORE_ADDRESS_H
#define CORE_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_DEFAULT "/run/xsocket/default"

struct address {
	struct sockaddr_un sun;
	socklen_t len; /* bytes of sun in use */
	bool abstract;
};

/**
 * address_parse() - read the address of a control socket
 * @text: a path, "@name", or NULL for ADDRESS_DEFAULT
 * @ret:  the address for connect(2)
 *
 * Return: 0, -EINVAL for an empty path or name, -ENAMETOOLONG for one that does not fit
 *         (a path needs room for its NUL). On failure @ret is untouched.
 */
int address_parse(const char *text, struct address *ret);

/* Is XSOCKET_ANY_SERVER=1 in the environment? Then any user may hold an abstract name. */
bool address_any_server(void);

#endif
