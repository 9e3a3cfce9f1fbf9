/* SPDX-License-Identifier: MIT */
/*
 * wire.h - a client's half of protocol version 1: 32-bit integers, big-endian, one message a packet
 */
#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_REQUEST_SIGNATURE  UINT32_C(0x58533031) /* "XS01" */
#define WIRE_RESPONSE_SIGNATURE UINT32_C(0x58533032) /* "XS02" */
#define WIRE_REQUEST_BYTES      16
#define WIRE_RESPONSE_BYTES     8
#define WIRE_ERRNO_MAX          4095 /* the kernel's MAX_ERRNO */

/* What socket(2) is asked for. type holds no SOCK_CLOEXEC: that bit stays with the client. */
struct wire_request {
	int32_t domain;
	int32_t type;
	int32_t protocol;
};

void wire_encode_request(const struct wire_request *request, uint8_t out[WIRE_REQUEST_BYTES]);

/**
 * wire_decode_response() - read a response
 * @bytes: the packet; @len: its length in bytes, which may be any
 *
 * Return: the server's error (0, or a positive errno number up to WIRE_ERRNO_MAX), or -EBADMSG
 *         for a wrong length, signature or error number.
 */
int wire_decode_response(const uint8_t *bytes, size_t len);

#endif
