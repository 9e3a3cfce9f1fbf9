/* SPDX-License-Identifier: MIT */
/*
 * identify.c - sys_identify()
 *
 * Without headers of libc that declare its own struct stat, since the kernel's is needed here.
 */
#include "core/sys.h"

#include <asm/stat.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>

/* The call whose structure has an inode number of 64 bits, or that of a whole word. */
#if defined(SYS_fstat64)
typedef struct stat64 file_status;
#define FSTAT SYS_fstat64
#else
typedef struct stat file_status;
#ifdef SYS_fstat
#define FSTAT SYS_fstat
#else
#define FSTAT (-1) /* ENOSYS: new processors have statx(2) alone */
#endif
#endif

/* Seccomp filters of old containers refuse statx(2). */
static int identify_by_fstat(int fd, struct sys_identity *ret)
{
	file_status status;
	int rc = (int)SYS_CALL(FSTAT, fd, (long)&status);
	uint64_t device;

	if (rc < 0)
		return rc;
	device = status.st_dev;
	*ret = (struct sys_identity){
	    .device = (device >> 8 & 0xfff) << 32 | (device & 0xff) | (device >> 12 & 0xfff00),
	    .inode = status.st_ino,
	};
	return 0;
}

int sys_identify(int fd, struct sys_identity *ret)
{
	/* statx(2), because its structure is the same everywhere */
	struct statx status;
	int rc = (int)SYS_CALL(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_INO, (long)&status);

	if (rc < 0)
		return rc == -EBADF ? rc : identify_by_fstat(fd, ret);
	*ret = (struct sys_identity){
	    .device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor,
	    .inode = status.stx_ino,
	};
	return 0;
}

bool sys_is(int fd, const struct sys_identity *identity)
{
	struct sys_identity now;

	return sys_identify(fd, &now) == 0 && now.device == identity->device &&
	       now.inode == identity->inode;
}
