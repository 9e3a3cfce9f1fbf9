/* SPDX-License-Identifier: MIT */
/* wire_server.h - a server's half of the protocol, for the servers of tests and benchmarks */
#ifndef SUPPORT_WIRE_SERVER_H
#define SUPPORT_WIRE_SERVER_H

#include "core/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static inline void wire_encode_response(int error, uint8_t out[WIRE_RESPONSE_BYTES])
{
	const uint32_t words[] = {htonl(WIRE_RESPONSE_SIGNATURE), htonl((uint32_t)error)};

	memcpy(out, words, sizeof(words));
}

/* Return: 0, or -EBADMSG for a wrong length or signature; then *ret is untouched. */
static inline int wire_decode_request(const uint8_t *bytes, size_t len, struct wire_request *ret)
{
	uint32_t words[WIRE_REQUEST_BYTES / sizeof(uint32_t)];

	if (len != sizeof(words))
		return -EBADMSG;
	memcpy(words, bytes, sizeof(words));
	if (ntohl(words[0]) != WIRE_REQUEST_SIGNATURE)
		return -EBADMSG;
	*ret = (struct wire_request){
	    .domain = (int32_t)ntohl(words[1]),
	    .type = (int32_t)ntohl(words[2]),
	    .protocol = (int32_t)ntohl(words[3]),
	};
	return 0;
}

#endif
