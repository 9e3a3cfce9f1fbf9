/* SPDX-License-Identifier: MIT */
/* procfs.h - what only /proc can tell; every caller has a fallback where /proc is missing */
#ifndef XBIND_PROCFS_H
#define XBIND_PROCFS_H

#include <stdbool.h>
#include <stdint.h>

struct epoll_event;

/**
 * procfs_registration() - look a descriptor up in an epoll set
 * @set:   the epoll set; stays the caller's
 * @fd:    number under which the file is registered
 * @inode: inode of the file, since a closed one of that number may be in the set too; 0 if unknown
 * @ret:   events and data
 *
 * Return: 0, -ESRCH when the set does not hold it, else what open(2) and read(2) gave.
 */
int procfs_registration(int set, int fd, uint64_t inode, struct epoll_event *ret);

/* One more than the highest number that a descriptor of this thread can have, or -errno. */
int procfs_fd_end(void);

/**
 * procfs_each_fd() - call a function for each open descriptor
 * @visit:   called with the number and the context, until it returns true
 * @context: whatever visit needs
 *
 * Return: 1 if @visit returned true, 0 if it never did, or what open(2) and getdents64(2) gave.
 */
int procfs_each_fd(bool (*visit)(int fd, int context), int context);

/* The same for each thread of this process, by its id in the PID namespace of that /proc. */
int procfs_each_thread(bool (*visit)(int thread, int context), int context);

#endif
