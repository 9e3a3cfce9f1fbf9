/* SPDX-License-Identifier: MIT */
/*
 * statx.c - sys_statx() and sys_inode()
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

static int read_by_fstat(int fd, struct statx *ret)
{
	file_status status;
	int rc = (int)SYS_CALL(FSTAT, fd, (long)&status);
	uint64_t device;

	if (rc < 0)
		return rc;
	device = status.st_dev;
	*ret = (struct statx){
	    .stx_uid = (uint32_t)status.st_uid,
	    .stx_gid = (uint32_t)status.st_gid,
	    .stx_mode = (uint16_t)status.st_mode,
	    .stx_ino = status.st_ino,
	    .stx_dev_major = (uint32_t)(device >> 8 & 0xfff),
	    .stx_dev_minor = (uint32_t)((device & 0xff) | (device >> 12 & 0xfff00)),
	};
	return 0;
}

/* Seccomp filters of old containers refuse statx(2). */
int sys_statx(int fd, int mask, struct statx *ret)
{
	int rc = (int)SYS_CALL(SYS_statx, fd, (long)"", AT_EMPTY_PATH, mask, (long)ret);

	return rc < 0 && rc != -EBADF ? read_by_fstat(fd, ret) : rc;
}

uint64_t sys_inode(int fd)
{
	struct statx status;

	return sys_statx(fd, STATX_INO, &status) < 0 ? 0 : status.stx_ino;
}
