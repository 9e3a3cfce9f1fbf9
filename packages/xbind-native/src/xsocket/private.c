/* SPDX-License-Identifier: MIT */
/*
 * private.c - the system calls that the TypeScript packages need, as one private symbol set
 *
 * How it works: Bun's FFI has no errno, so each function returns a value or -errno. The names are
 * versioned (xs1_), the signatures use int, unsigned and pointers alone, but for the clock, and the
 * one file that binds them is packages/xbind-native/src/syscalls.ts. A pointer is used during the
 * call and never kept.
 */
#include "xsocket/private.h"

#include "core/fd.h"
#include "core/handover.h"
#include "core/visibility.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define EVENTS_MAX 64  /* descriptors in one xs1_epoll_wait() or xs1_poll_many() */
#define FDS_MAX    253 /* descriptors in one packet, the kernel's SCM_MAX_FD */

EXPORT int xs1_socket(int domain, int type, int protocol)
{
	return sys_socket(domain, type, protocol);
}

EXPORT int xs1_bind(int fd, const void *addr, unsigned len)
{
	return sys_bind(fd, addr, len);
}

EXPORT int xs1_listen(int fd, int backlog)
{
	return sys_listen(fd, backlog);
}

EXPORT int xs1_connect(int fd, const void *addr, unsigned len)
{
	return sys_connect(fd, addr, len);
}

EXPORT int xs1_accept(int fd)
{
	return sys_accept4(fd, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

EXPORT int xs1_close(int fd)
{
	return sys_close(fd);
}

EXPORT int xs1_shutdown(int fd, int how)
{
	return sys_shutdown(fd, how);
}

EXPORT int xs1_dup_onto(int from, int to)
{
	return sys_dup3(from, to, O_CLOEXEC);
}

EXPORT int xs1_fchown(int fd, unsigned uid, unsigned gid)
{
	return sys_fchown(fd, uid, gid);
}

EXPORT int xs1_flock(int fd, int operation)
{
	return sys_flock(fd, operation);
}

EXPORT int xs1_umask(int mask)
{
	return (int)umask((mode_t)mask);
}

EXPORT int xs1_xattr(const char *path, const char *name, void *value, unsigned len)
{
	return sys_getxattr(path, name, value, len);
}

EXPORT int xs1_geteuid(void)
{
	return (int)sys_geteuid();
}

EXPORT int xs1_getsockname(int fd, void *addr, unsigned len)
{
	socklen_t size = len;
	int rc = sys_getsockname(fd, addr, &size);

	return rc < 0 ? rc : (int)size;
}

EXPORT int xs1_getsockopt(int fd, int level, int name, void *value, unsigned len)
{
	socklen_t size = len;
	int rc = sys_getsockopt(fd, level, name, value, &size);

	return rc < 0 ? rc : (int)size;
}

EXPORT int xs1_setsockopt(int fd, int level, int name, const void *value, unsigned len)
{
	return sys_setsockopt(fd, level, name, value, len);
}

EXPORT int xs1_send_queue(int fd)
{
	int bytes = 0;
	int rc = sys_ioctl(fd, SIOCOUTQ, &bytes);

	return rc < 0 ? rc : bytes;
}

EXPORT int xs1_socket_namespace(int fd)
{
	return sys_ioctl(fd, SIOCGSKNS, NULL);
}

EXPORT int xs1_descriptor_limit(void)
{
	uint64_t limits[2]; /* soft and hard, 64 bits a field on every machine */
	int rc = sys_prlimit64(RLIMIT_NOFILE, NULL, limits);

	if (rc < 0)
		return rc;
	return limits[0] > INT_MAX ? INT_MAX : (int)limits[0];
}

EXPORT double xs1_monotonic(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

EXPORT int xs1_poll(int fd, int events, int wait_ms)
{
	return sys_poll(fd, (short)events, wait_ms);
}

EXPORT int xs1_poll_many(int *pairs, int count)
{
	struct pollfd polled[EVENTS_MAX];
	int n;

	if (count < 0 || count > EVENTS_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		polled[i] = (struct pollfd){pairs[2 * i], (short)pairs[2 * i + 1], 0};
	n = sys_poll_many(polled, (unsigned)count, 0);
	for (int i = 0; i < count; i++)
		pairs[2 * i + 1] = n < 0 ? 0 : (unsigned short)polled[i].revents;
	return n;
}

EXPORT int xs1_epoll_create(void)
{
	return sys_epoll_create1(EPOLL_CLOEXEC);
}

EXPORT int xs1_epoll_ctl(int epoll_fd, int operation, int fd, unsigned events, unsigned data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return sys_epoll_ctl(epoll_fd, operation, fd, &event);
}

EXPORT int xs1_epoll_adopt(int epoll_fd, int fd, unsigned events, unsigned high, unsigned low)
{
	struct epoll_event event = {
	    .events = events,
	    .data.u64 = (uint64_t)high << 32 | low,
	};

	return sys_epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

EXPORT int xs1_interface_index(int fd, const char *name)
{
	struct ifreq request = {0};
	size_t len = strlen(name);
	int rc;

	if (len >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, len);
	rc = sys_ioctl(fd, SIOCGIFINDEX, &request);
	return rc < 0 ? rc : request.ifr_ifindex;
}

/* Return: what epoll_wait(2) does without waiting, as soon as that is not 0, or 0 after look_us. */
static int look(int epoll_fd, struct epoll_event *events, int max, int look_us)
{
	double end = xs1_monotonic() + look_us / 1e3;

	for (;;) {
		int n = sys_epoll_wait(epoll_fd, events, max, 0);

		if (n != 0 || xs1_monotonic() >= end)
			return n;
		sys_sched_yield();
	}
}

EXPORT int xs1_epoll_wait(int epoll_fd, unsigned *pairs, int max, int wait_ms, int look_us)
{
	/* struct epoll_event is packed on x86 alone: pairs of events and data are the same
	 * everywhere */
	struct epoll_event events[EVENTS_MAX];
	int n;

	if (max > EVENTS_MAX)
		max = EVENTS_MAX;
	n = look_us > 0 ? look(epoll_fd, events, max, look_us) : 0;
	if (n == 0)
		n = sys_epoll_wait(epoll_fd, events, max, wait_ms);
	for (int i = 0; i < n; i++) {
		pairs[2 * i] = events[i].events;
		pairs[2 * i + 1] = (unsigned)events[i].data.u64;
	}
	return n;
}

EXPORT int xs1_eventfd(void)
{
	return sys_eventfd2(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

EXPORT int xs1_eventfd_add(int fd)
{
	uint64_t one = 1;
	long rc = sys_write(fd, &one, sizeof(one));

	return rc < 0 ? (int)rc : 0;
}

EXPORT int xs1_eventfd_take(int fd)
{
	uint64_t count;
	long rc = sys_read(fd, &count, sizeof(count));

	return rc < 0 ? (int)rc : 0;
}

EXPORT int xs1_let_go_of_pages(void *start, unsigned len)
{
	return sys_madvise(start, len, MADV_DONTNEED);
}

EXPORT int xs1_adopt(int fd)
{
	int rc = fd_set_nonblocking(fd, true);

	return rc < 0 ? rc : sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
}

EXPORT int xs1_receive_packet(int fd, void *buf, unsigned len)
{
	/* Without room for control data the kernel drops the descriptors that come with a packet:
	 * they never enter this process, so that they can neither leak nor use up its limit. */
	const int flags = MSG_DONTWAIT | MSG_TRUNC;
	const int rc = (int)sys_recvfrom(fd, buf, len, flags);

	/* Where there is no end it was an empty packet. */
	if (rc != 0 || sys_poll(fd, POLLRDHUP, 0) <= 0)
		return rc;
	/* The kernel looks for a packet first and for the end after that, so it reports the end
	 * also when a packet and the end have come in between. Then the packet is there by now. */
	return (int)sys_recvfrom(fd, buf, len, flags);
}

EXPORT int xs1_drop_packets(int fd)
{
	int one = 1;
	int rc = sys_setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	struct msghdr msg;

	/* An empty packet reads like the end. Credentials come with a packet alone, and as there is
	 * no room for them here, the kernel says so. */
	while (rc >= 0) {
		msg = (struct msghdr){0};
		rc = (int)sys_recvmsg(fd, &msg, MSG_DONTWAIT);
		if (rc >= 0 && !(msg.msg_flags & MSG_CTRUNC))
			return 0;
	}
	return rc;
}

EXPORT int xs1_send_packet(int fd, const void *buf, unsigned len, int passed_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
	                 .cmsg_len = CMSG_LEN(sizeof(int)),
	                 .cmsg_level = SOL_SOCKET,
	                 .cmsg_type = SCM_RIGHTS,
	             }};
	struct iovec iov = {(void *)buf, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed_fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &passed_fd, sizeof(passed_fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return (int)sys_sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

EXPORT int xs1_send_descriptors(int fd, const void *buf, unsigned len, int passed_fd, int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {(void *)buf, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};

	if (count < 1 || count > FDS_MAX)
		return -EINVAL;
	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &passed_fd,
		       sizeof(passed_fd));
	/* musl counts both in socklen_t, glibc in size_t. */
	control.header.cmsg_len =
	    (__typeof__(control.header.cmsg_len))CMSG_LEN(sizeof(int) * (size_t)count);
	msg.msg_controllen =
	    (__typeof__(msg.msg_controllen))CMSG_SPACE(sizeof(int) * (size_t)count);
	return (int)sys_sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

EXPORT int xs1_handover(const char *path, int domain, int type, int protocol, int wait_ms)
{
	struct deadline deadline = deadline_in(wait_ms);
	struct address address;
	int rc = address_parse(path, address_any_server(), &address);

	return rc < 0 ? rc : handover_socket(&address, domain, type, protocol, &deadline);
}

EXPORT int xs1_handover_connect(const char *path, int wait_ms)
{
	struct deadline deadline = deadline_in(wait_ms);
	struct address address;
	int rc = address_parse(path, address_any_server(), &address);

	return rc < 0 ? rc : handover_connect(&address, &deadline);
}

EXPORT int xs1_handover_send(int conn, int domain, int type, int protocol)
{
	const struct wire_request request = {domain, type & ~SOCK_CLOEXEC, protocol};

	return handover_send(conn, &request);
}

EXPORT int xs1_handover_receive(int conn, int domain, int type, int protocol, int wait_ms)
{
	const struct wire_request request = {domain, type & ~SOCK_CLOEXEC, protocol};
	const bool cloexec = (type & SOCK_CLOEXEC) != 0;
	struct deadline deadline = deadline_in(wait_ms);

	return wait_ms == 0 ? handover_take(conn, &request, cloexec)
	                    : handover_receive(conn, &request, cloexec, &deadline);
}
