/* SPDX-License-Identifier: MIT */
/* pair.h - for programs that pair runs: sockets, and which namespace they are in */
#ifndef SUPPORT_PAIR_H
#define SUPPORT_PAIR_H

#include "support/libc.h"
#include "test.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOT_LISTED 5000 /* a port that no test lists */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define SO_BUF_LOCK_ 72 /* not in every libc */

/* Is the library loaded? */
static inline bool pair_preloaded(void)
{
	return getenv("PAIR_PRELOADED") != NULL;
}

/* An option whose value is a number. */
static inline int pair_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	CHECK_EQ(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* Sets an option whose value is a number. */
static inline int pair_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* Is the port of this socket free in the namespace of this process? */
static inline bool pair_is_elsewhere(int fd)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof(name);
	long (*call)(long, ...) = (long (*)(long, ...))libc_unfollowed("syscall");
	int other, rc;

	CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	other = socket(name.sin6_family, pair_option(fd, SOL_SOCKET, SO_TYPE),
	               pair_option(fd, SOL_SOCKET, SO_PROTOCOL));
	rc = (int)call(SYS_bind, other, &name, len);
	close(other);
	return rc == 0;
}

/* Sets the cookie of the socket's namespace; false if the kernel does not have it, before Linux
 * 5.14. */
static inline bool pair_cookie_of(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len) == 0)
		return true;
	CHECK(errno == ENOPROTOOPT || getenv("TEST_EMULATOR"));
	return false;
}

/* SO_COOKIE of the socket; 0 if the kernel gives none. */
static inline uint64_t pair_socket_cookie(int fd)
{
	uint64_t cookie = 0;

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &(socklen_t){sizeof(cookie)});
	return cookie;
}

/* Is this bound socket where a socket with a listed port has to be? */
static inline bool pair_is_there(int fd)
{
	uint64_t cookie;

	if (!pair_cookie_of(fd, &cookie))
		return pair_is_elsewhere(fd) == pair_preloaded();
	return cookie == strtoull(getenv("PAIR_COOKIE"), NULL, 10);
}

/* Are the two in the same namespace? */
static inline bool pair_is_beside(int fd, int other)
{
	uint64_t a, b;

	return !pair_cookie_of(fd, &a) || !pair_cookie_of(other, &b) || a == b;
}

/* 127.0.0.1 and a port in host order. */
static inline struct sockaddr_in pair_addr(uint16_t port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* ::1 and a port in host order. */
static inline struct sockaddr_in6 pair_addr6(uint16_t port)
{
	return (struct sockaddr_in6){
	    .sin6_family = AF_INET6,
	    .sin6_port = htons(port),
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
}

/* Connects to 127.0.0.1. */
static inline int pair_connect(int fd, uint16_t port)
{
	const struct sockaddr_in addr = pair_addr(port);

	return connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
}

/* Sends a byte to 127.0.0.1. */
static inline int pair_send(int fd, uint16_t port)
{
	const struct sockaddr_in addr = pair_addr(port);

	return (int)sendto(fd, "x", 1, MSG_NOSIGNAL, (const struct sockaddr *)&addr, sizeof(addr));
}

/* Removes the peer of a socket, or what is left of one. */
static inline int pair_disconnect(int fd)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};

	return connect(fd, &none, sizeof(none));
}

static inline int pair_bind(int fd, uint16_t port)
{
	struct sockaddr_in addr = pair_addr(port);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

/* Binds to a listed port. Return: did that work, and is the socket where it has to be? */
static inline bool pair_binds_there(int fd, uint16_t port)
{
	return pair_bind(fd, port) == 0 && pair_is_there(fd);
}

/* Binds by a function that dlsym(3) has found. */
static inline int pair_bind_by(void *function, int fd, uint16_t port)
{
	int (*call)(int, const struct sockaddr *, socklen_t) =
	    (int (*)(int, const struct sockaddr *, socklen_t))function;
	struct sockaddr_in addr = pair_addr(port);

	return call(fd, (struct sockaddr *)&addr, sizeof(addr));
}

/* The same for a fresh socket, by a function that dlsym(3) has found. */
static inline bool pair_binds_there_by(void *function, int type, uint16_t port)
{
	int fd = socket(AF_INET, type, 0);
	const bool binds = pair_bind_by(function, fd, port) == 0 && pair_is_there(fd);

	close(fd);
	return binds;
}

/* Binds to the wildcard address; the port is in host order. */
static inline int pair_bind_any(int fd, int domain, uint16_t port)
{
	struct sockaddr_in6 addr = {
	    .sin6_family = (sa_family_t)domain,
	    .sin6_port = htons(port), /* sin_port is at the same offset */
	};

	return bind(fd, (struct sockaddr *)&addr,
	            domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(addr));
}

static inline int pair_socket(int type)
{
	int fd = socket(AF_INET, type, 0);

	CHECK(fd >= 0);
	return fd;
}

/* Joins a group on lo. Memberships cannot be read back, but joining twice gives EADDRINUSE. */
static inline int pair_join_group(int fd, uint32_t group)
{
	const struct ip_mreqn mreq = {.imr_multiaddr.s_addr = htonl(group), .imr_ifindex = 1};

	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq));
}

/* Does the kernel report whether a buffer was set? It does since Linux 5.14. */
static inline bool pair_tells_buffer_lock(void)
{
	int fd = pair_socket(SOCK_STREAM), lock;
	int rc = getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK_, &lock, &(socklen_t){sizeof(lock)});

	CHECK(rc == 0 || errno == ENOPROTOOPT);
	close(fd);
	return rc == 0;
}

/* The local port of the socket, in host order. */
static inline uint16_t pair_port(int fd)
{
	struct sockaddr_in6 name = {0};
	socklen_t len = sizeof(name);

	CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	return ntohs(name.sin6_port); /* sin_port is at the same offset */
}

/* With the library bind fails with this error and leaves the socket as it was: at home, and able
 * to bind to a port that is not listed. */
static inline void pair_refused(int fd, uint16_t port, int error)
{
	int rc = pair_bind(fd, port);

	if (!pair_preloaded()) {
		CHECK_EQ(rc, 0);
		return;
	}
	CHECK(rc < 0);
	CHECK_EQ(errno, error);
	CHECK_EQ(pair_port(fd), 0);
	CHECK_EQ(pair_bind(fd, NOT_LISTED), 0);
	CHECK(!pair_is_there(fd));
}

#endif
