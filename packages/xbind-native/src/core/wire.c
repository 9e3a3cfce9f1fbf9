/* SPDX-License-Identifier: MIT */
#include "core/wire.h"

#include <errno.h>

static void put32(uint8_t *out, uint32_t value)
{
	out[0] = (uint8_t)(value >> 24);
	out[1] = (uint8_t)(value >> 16);
	out[2] = (uint8_t)(value >> 8);
	out[3] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void wire_encode_request(const struct wire_request *request, uint8_t out[WIRE_REQUEST_BYTES])
{
	put32(out, WIRE_REQUEST_SIGNATURE);
	put32(out + 4, (uint32_t)request->domain);
	put32(out + 8, (uint32_t)request->type);
	put32(out + 12, (uint32_t)request->protocol);
}

void wire_encode_response(int error, uint8_t out[WIRE_RESPONSE_BYTES])
{
	put32(out, WIRE_RESPONSE_SIGNATURE);
	put32(out + 4, (uint32_t)error);
}

int wire_decode_request(const uint8_t *bytes, size_t len, struct wire_request *ret)
{
	if (len != WIRE_REQUEST_BYTES || get32(bytes) != WIRE_REQUEST_SIGNATURE)
		return -EBADMSG;
	*ret = (struct wire_request){
	    .domain = (int32_t)get32(bytes + 4),
	    .type = (int32_t)get32(bytes + 8),
	    .protocol = (int32_t)get32(bytes + 12),
	};
	return 0;
}

int wire_decode_response(const uint8_t *bytes, size_t len)
{
	uint32_t error;

	if (len != WIRE_RESPONSE_BYTES || get32(bytes) != WIRE_RESPONSE_SIGNATURE)
		return -EBADMSG;
	error = get32(bytes + 4);
	return error <= WIRE_ERRNO_MAX ? (int)error : -EBADMSG;
}
