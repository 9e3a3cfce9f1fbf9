/* SPDX-License-Identifier: MIT */
/*
 * hook.h - the hooked calls
 *
 * A hook has a C name of its own, and its exported name by an assembler label, since the prototypes
 * in the headers differ from libc to libc. Hooks fail with -1 and errno, as libc functions do; the
 * functions that decide return -errno, like the rest of the library.
 */
#ifndef XBIND_HOOK_H
#define XBIND_HOOK_H

#include <errno.h>
#include <sys/socket.h>

struct epoll_event;
struct sockaddr_in;

int hook_bind(int fd, const void *addr, socklen_t len) __asm__("bind");
int hook_chroot(const char *path) __asm__("chroot");
int hook_epoll_create(int size) __asm__("epoll_create");
int hook_epoll_create1(int flags) __asm__("epoll_create1");
int hook_epoll_ctl(int set, int operation, int fd, struct epoll_event *event) __asm__("epoll_ctl");
int hook_bindresvport(int fd, struct sockaddr_in *addr) __asm__("bindresvport");
int hook_rresvport(int *port) __asm__("rresvport");
int hook_rresvport_af(int *port, sa_family_t family) __asm__("rresvport_af");
int hook_shutdown(int fd, int how) __asm__("shutdown");
int hook_listen(int fd, int backlog) __asm__("listen");
int hook_setsockopt(int fd, int level, int name, const void *value,
                    socklen_t len) __asm__("setsockopt");
int hook_setsockopt64(int fd, int level, int name, const void *value,
                      socklen_t len) __asm__("__setsockopt64");

/* Turns a result or -errno into what a libc function returns. */
static inline int hook_result(int rc)
{
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	return rc;
}

/**
 * decide_bind() - move the socket if its port is listed; for all ways into bind
 * @fd:   the program's descriptor, any value
 * @addr: the program's pointer, any value
 * @len:  its length in bytes, any value
 *
 * Return: 0 when @fd is now a socket of the target namespace, and bound; SWAP_E_LEAVE when the
 *         plain call is to be made; -errno when it failed and nothing was changed.
 */
int decide_bind(int fd, const void *addr, socklen_t len);

/* bind(2) as the hook does it. Return: 0 or -errno. */
int follow_bind(int fd, const void *addr, socklen_t len);

/* Notes that epoll_create(2) has made a set. Return: @set, which may be -errno. */
int follow_set(int set);

/* decide_bind() for listen(2) of a socket that was never bound. */
int decide_listen(int fd, int backlog);

#endif
