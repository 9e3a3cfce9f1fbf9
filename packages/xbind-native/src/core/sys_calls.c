/* SPDX-License-Identifier: MIT */
/*
 * sys_calls.c - the calls of sys.h; sys_call(), by which they enter the kernel, is in sys.c, and
 * sys_statx() in statx.c
 */
#include "core/sys.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* 32-bit processors have calls for offsets and times of 64 bits, and i386 has some for ids of 32
 * bits. Elsewhere the plain ones are these. */
#ifndef SYS_fcntl64
#define SYS_fcntl64 SYS_fcntl
#endif
#ifndef SYS_fchown32
#define SYS_fchown32  SYS_fchown
#define SYS_geteuid32 SYS_geteuid
#endif
#ifndef SYS_ppoll_time64
#define SYS_ppoll_time64 SYS_ppoll
#endif

int sys_socket(int domain, int type, int protocol)
{
	return (int)SYS_CALL(SYS_socket, domain, type, protocol);
}

int sys_bind(int fd, const void *addr, socklen_t addr_len)
{
	return (int)SYS_CALL(SYS_bind, fd, (long)addr, (long)addr_len);
}

int sys_listen(int fd, int backlog)
{
	return (int)SYS_CALL(SYS_listen, fd, backlog);
}

int sys_connect(int fd, const void *addr, socklen_t addr_len)
{
	return (int)SYS_CALL(SYS_connect, fd, (long)addr, (long)addr_len);
}

long sys_sendto(int fd, const void *buf, size_t len, int flags)
{
	return SYS_CALL(SYS_sendto, fd, (long)buf, (long)len, flags);
}

long sys_recvfrom(int fd, void *buf, size_t len, int flags)
{
	return SYS_CALL(SYS_recvfrom, fd, (long)buf, (long)len, flags);
}

long sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return SYS_CALL(SYS_recvmsg, fd, (long)msg, flags);
}

int sys_shutdown(int fd, int how)
{
	return (int)SYS_CALL(SYS_shutdown, fd, how);
}

int sys_getsockname(int fd, void *addr, socklen_t *len)
{
	return (int)SYS_CALL(SYS_getsockname, fd, (long)addr, (long)len);
}

int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)SYS_CALL(SYS_getsockopt, fd, level, name, (long)value, (long)len);
}

int sys_getsockopt_int(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	int rc = sys_getsockopt(fd, level, name, &value, &len);

	return rc < 0 ? rc : value;
}

int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return (int)SYS_CALL(SYS_setsockopt, fd, level, name, (long)value, (long)len);
}

int sys_close(int fd)
{
	return (int)SYS_CALL(SYS_close, fd);
}

int sys_dup3(int from, int to, int flags)
{
	return (int)SYS_CALL(SYS_dup3, from, to, flags);
}

int sys_fcntl(int fd, int command, long arg)
{
	return (int)SYS_CALL(SYS_fcntl64, fd, command, arg);
}

int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)SYS_CALL(SYS_ioctl, fd, (long)request, (long)arg);
}

int sys_fchown(int fd, unsigned uid, unsigned gid)
{
	return (int)SYS_CALL(SYS_fchown32, fd, (long)uid, (long)gid);
}

int sys_epoll_create1(int flags)
{
	return (int)SYS_CALL(SYS_epoll_create1, flags);
}

int sys_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	return (int)SYS_CALL(SYS_epoll_ctl, epoll_fd, operation, fd, (long)event);
}

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int wait_ms)
{
	/* epoll_pwait without a mask: arm64 has no epoll_wait */
	return (int)SYS_CALL(SYS_epoll_pwait, epoll_fd, (long)events, max, wait_ms);
}

long sys_read(int fd, void *buf, size_t len)
{
	return SYS_CALL(SYS_read, fd, (long)buf, (long)len);
}

long sys_write(int fd, const void *buf, size_t len)
{
	return SYS_CALL(SYS_write, fd, (long)buf, (long)len);
}

unsigned sys_geteuid(void)
{
	return (unsigned)SYS_CALL(SYS_geteuid32);
}

int sys_getpid(void)
{
	return (int)SYS_CALL(SYS_getpid);
}

static bool is_procfs(int fd)
{
	struct statfs status;

	return SYS_CALL(SYS_fstatfs, fd, (long)&status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

int sys_open_proc(const char *path, int flags)
{
	/* O_NONBLOCK: in a changed root the name may be a pipe, which open(2) would wait for. */
	int fd = (int)SYS_CALL(SYS_openat, AT_FDCWD, (long)path,
	                       O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);

	if (fd < 0 || is_procfs(fd))
		return fd;
	sys_close(fd);
	return -ENOENT;
}

int sys_descriptor_limits(uint64_t ret[2])
{
	return (int)SYS_CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)ret);
}

int sys_gettid(void)
{
	return (int)SYS_CALL(SYS_gettid);
}

int sys_kcmp(int type, unsigned long first, unsigned long second)
{
	/* By thread id, since a thread may have left the descriptor table of its process. */
	long self = sys_gettid();

	return (int)SYS_CALL(SYS_kcmp, self, self, type, (long)first, (long)second);
}

int sys_kcmp_epoll(int epoll_fd, int fd)
{
	struct kcmp_epoll_slot slot = {.efd = (uint32_t)epoll_fd, .tfd = (uint32_t)fd};

	return sys_kcmp(KCMP_EPOLL_TFD, (unsigned long)fd, (unsigned long)&slot);
}

bool sys_shares(int type, int other)
{
	return SYS_CALL(SYS_kcmp, sys_gettid(), other, type) == 0;
}

int sys_poll_many(struct pollfd *entries, unsigned count, int wait_ms)
{
	/* the kernel's own layout, 64 bits a field, whatever time_t is here */
	struct {
		int64_t seconds;
		int64_t nanoseconds;
	} wait = {wait_ms / 1000, wait_ms % 1000 * INT64_C(1000000)};

	return (int)SYS_CALL(SYS_ppoll_time64, (long)entries, (long)count,
	                     wait_ms < 0 ? 0 : (long)&wait);
}

int sys_poll(int fd, short events, int wait_ms)
{
	struct pollfd entry = {.fd = fd, .events = events};
	int rc;

	do
		rc = sys_poll_many(&entry, 1, wait_ms);
	while (rc == -EINTR && wait_ms == 0);
	if (rc == -EINVAL)
		return -EMFILE; /* one entry is more than RLIMIT_NOFILE */
	return rc > 0 ? entry.revents : rc;
}
