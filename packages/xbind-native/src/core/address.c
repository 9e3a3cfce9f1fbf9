/* SPDX-License-Identifier: MIT */
#include "core/address.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool address_any_server(void)
{
	const char *any = secure_getenv("XSOCKET_ANY_SERVER");

	return any && strcmp(any, "1") == 0;
}

int address_parse(const char *text, struct address *ret)
{
	struct address address = {.sun.sun_family = AF_UNIX};
	size_t len;

	if (!text)
		text = ADDRESS_DEFAULT;
	len = strlen(text);
	address.abstract = text[0] == '@';
	if (len == 0 || (address.abstract && len == 1))
		return -EINVAL;
	/* An abstract name starts with a NUL in place of the @ and has none at its end. */
	if (len + !address.abstract > sizeof(address.sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun.sun_path, text, len);
	if (address.abstract)
		address.sun.sun_path[0] = '\0';
	address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !address.abstract);
	*ret = address;
	return 0;
}
