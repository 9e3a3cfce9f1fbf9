/* SPDX-License-Identifier: MIT */
/*
 * private.c - the plain system calls of the private symbol set, and the handover
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
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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
	return (int)SYS_CALL(SYS_accept4, fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
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
	return (int)SYS_CALL(SYS_flock, fd, operation);
}

EXPORT int xs1_umask(int mask)
{
	return (int)umask((mode_t)mask);
}

EXPORT int xs1_xattr(const char *path, const char *name, void *value, unsigned len)
{
	return (int)SYS_CALL(SYS_getxattr, (long)path, (long)name, (long)value, (long)len);
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
	uint64_t limits[2];
	int rc = sys_descriptor_limits(limits);

	if (rc < 0)
		return rc;
	return limits[0] > INT_MAX ? INT_MAX : (int)limits[0];
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

EXPORT int xs1_let_go_of_pages(void *start, unsigned len)
{
	return (int)SYS_CALL(SYS_madvise, (long)start, (long)len, MADV_DONTNEED);
}

EXPORT int xs1_adopt(int fd)
{
	int rc = fd_set_nonblocking(fd, true);

	return rc < 0 ? rc : sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
}

EXPORT int xs1_handover(const char *path, int domain, int type, int protocol, int wait_ms)
{
	return handover_socket(path, domain, type, protocol, wait_ms);
}

EXPORT int xs1_handover_connect(const char *path, int wait_ms)
{
	struct deadline deadline = deadline_in(wait_ms);

	return handover_connect(path, address_any_server(), &deadline);
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
