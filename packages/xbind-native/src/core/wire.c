/* SPDX-License-Identifier: MIT */
#include "core/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

void wire_encode_request(const struct wire_request *request, uint8_t out[WIRE_REQUEST_BYTES])
{
	const uint32_t words[] = {
	    htonl(WIRE_REQUEST_SIGNATURE),
	    htonl((uint32_t)request->domain),
	    htonl((uint32_t)request->type),
	    htonl((uint32_t)request->protocol),
	};

	memcpy(out, words, sizeof(words));
}

int wire_decode_response(const uint8_t *bytes, size_t len)
{
	uint32_t words[2], error;

	if (len != sizeof(words))
		return -EBADMSG;
	memcpy(words, bytes, sizeof(words));
	error = ntohl(words[1]);
	if (ntohl(words[0]) != WIRE_RESPONSE_SIGNATURE || error > WIRE_ERRNO_MAX)
		return -EBADMSG;
	return (int)error;
}
