/* SPDX-License-Identifier: MIT */
/*
 * private.h - libxsocket's private symbol set for the TypeScript packages of the same version
 *
 * Bun's FFI has no errno, so every function returns a value or -errno. The names are versioned, and
 * the signatures use only int, unsigned and pointers, except for the clock and the data of epoll.
 * The one file that binds them is packages/xbind-native/src/syscalls.ts. A pointer is used during
 * the call and never kept. Descriptors that are made here are close-on-exec and belong to the
 * caller; those that are given stay the caller's. Times are in milliseconds, -1 for no limit.
 */
#ifndef XSOCKET_PRIVATE_H
#define XSOCKET_PRIVATE_H

#include <stdint.h>

int xs1_socket(int domain, int type, int protocol);
int xs1_bind(int fd, const void *addr, unsigned len);
int xs1_listen(int fd, int backlog);
int xs1_connect(int fd, const void *addr, unsigned len);
int xs1_close(int fd);
int xs1_shutdown(int fd, int how);
int xs1_fchown(int fd, unsigned uid, unsigned gid);
int xs1_flock(int fd, int operation);
int xs1_umask(int mask);

/* poll(2) of one descriptor. Return: revents, 0 after wait_ms; -EMFILE where RLIMIT_NOFILE is 0. */
int xs1_poll(int fd, int events, int wait_ms);

/* getxattr(2). Return: the length in bytes, -ENODATA if the file has no such attribute. */
int xs1_xattr(const char *path, const char *name, void *value, unsigned len);

/* accept4(2), non-blocking. */
int xs1_accept(int fd);

/* dup3(2): to becomes a copy of from. Return: to. */
int xs1_dup_onto(int from, int to);

/* Return: the length that the kernel reports, which may be larger than len for an address. */
int xs1_getsockname(int fd, void *addr, unsigned len);
int xs1_getsockopt(int fd, int level, int name, void *value, unsigned len);
int xs1_setsockopt(int fd, int level, int name, const void *value, unsigned len);

/* SIOCGSKNS: a descriptor of the network namespace that a socket belongs to, close-on-exec. Needs
 * CAP_NET_ADMIN in that namespace's user namespace. */
int xs1_socket_namespace(int fd);

/* SIOCOUTQ: bytes that count as sent and not yet received; 0 when the peer has taken all. */
int xs1_send_queue(int fd);

/* The soft RLIMIT_NOFILE, INT_MAX for more than that. */
int xs1_descriptor_limit(void);

/* Milliseconds of the monotonic clock, the same in every thread and process. */
double xs1_monotonic(void);

/* poll(2) without waiting. In: count (64 at most) pairs of a descriptor and the events of interest.
 * Out: revents in place of the events, 0 everywhere on failure. Return: how many have any. */
int xs1_poll_many(int *pairs, int count);

int xs1_epoll_create(void);

/* All 64 bits of data count: epoll.ts registers again what Bun has, with pointers in it. */
int xs1_epoll_ctl(int epoll_fd, int operation, int fd, unsigned events, uint64_t data);

/* The index of an interface of the namespace that socket fd belongs to; -ENODEV. */
int xs1_interface_index(int fd, const char *name);

/* Writes up to max (64 at most) pairs: events, and the lower half of data. If nothing is ready, it
 * polls for look_us microseconds, yielding the processor, before it blocks for up to wait_ms.
 * Return: how many pairs. */
int xs1_epoll_wait(int epoll_fd, unsigned *pairs, int max, int wait_ms, int look_us);

/* A non-blocking eventfd(2); add wakes whoever waits for it, take resets it. */
int xs1_eventfd(void);
int xs1_eventfd_add(int fd);
int xs1_eventfd_take(int fd);

/* One packet without waiting; descriptors that come with it are dropped. Return: the length of the
 * whole packet, which may be larger than len; 0 at the end of the stream, and for an empty packet.
 */
int xs1_receive_packet(int fd, void *buf, unsigned len);

/* Drops all packets that have arrived, empty ones and descriptors that came with them included. The
 * reading side should be shut down, so that no more come. Return: 0 or -errno. */
int xs1_drop_packets(int fd);

/* One packet without waiting, with a copy of passed_fd unless that is -1. Return: its length. */
int xs1_send_packet(int fd, const void *buf, unsigned len, int passed_fd);

/* A timer that interrupts the calling thread, and no other, by a signal without effect. It is not
 * running yet. The caller deletes it. Return: its number, -EBUSY where the program has a handler
 * for that signal. */
int xs1_tick_create(void);

/* Makes it go off every interval_ms milliseconds; 0 stops it. */
int xs1_tick_set(int timer, int interval_ms);
int xs1_tick_delete(int timer);

/* Creates that many threads (64 at most) for a moment, to see whether it can be done. Return: 0,
 * -EAGAIN when it cannot, -EINVAL for more than 64. */
int xs1_thread_room(int count);

/* MADV_DONTNEED: releases the pages from start on. Only for file mappings that nobody has written
 * to: their pages come back when they are needed, anything else would be lost. */
int xs1_let_go_of_pages(void *start, unsigned len);

/* Makes a descriptor that was inherited like one of ours: non-blocking and close-on-exec. */
int xs1_adopt(int fd);

/*
 * Runs a program, argv's first text, in the place of this one as another user, with listen_fd as
 * descriptor 3, cwd_fd as 4 and no others but 0 to 2, the one capability CAP_CHOWN (ambient; none
 * where the caller lacks it), and no_new_privs. groups are the supplementary ones. argv and env are
 * NUL-terminated texts one after the other, and their lengths in bytes. Return: only on failure,
 * -errno; then this process is as before.
 */
int xs1_exec_as(int listen_fd, int cwd_fd, unsigned uid, unsigned gid, const unsigned *groups,
                unsigned group_count, char *argv, unsigned argv_len, char *env, unsigned env_len);

/*
 * The functions of handover.h, with the address as text, and a wait time (not -1) as the deadline.
 * type may hold SOCK_CLOEXEC. xs1_handover_receive with 0 ms is handover_take().
 */
int xs1_handover(const char *path, int domain, int type, int protocol, int wait_ms);
int xs1_handover_connect(const char *path, int wait_ms);
int xs1_handover_send(int conn, int domain, int type, int protocol);
int xs1_handover_receive(int conn, int domain, int type, int protocol, int wait_ms);

#endif
