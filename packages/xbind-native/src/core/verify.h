/* SPDX-License-Identifier: MIT */
/* verify.h - is a received descriptor the fresh socket that was asked for? */
#ifndef CORE_VERIFY_H
#define CORE_VERIFY_H

#include "core/wire.h"

/**
 * verify_socket() - check a received descriptor before anybody trusts it
 * @fd:      the descriptor; stays the caller's
 * @request: what was asked for
 *
 * A server that hands over a connected or filtered socket could read or steer the program's
 * traffic, so only one that is as socket(2) makes it passes.
 *
 * Return: 0, or -EBADMSG for anything but a socket of that family, type and protocol that is
 *         neither bound, connected, listening nor filtered; else -errno of a getsockname(2) or
 *         getsockopt(2) that is forbidden, as by a seccomp(2) filter.
 */
int verify_socket(int fd, const struct wire_request *request);

#endif
