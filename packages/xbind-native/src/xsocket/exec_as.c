/* SPDX-License-Identifier: MIT */
/*
 * exec_as.c - leave root behind by one exec
 *
 * How it works: Linux keeps credentials for each thread, and Bun has started threads before any of
 * its code runs. So the credentials of the running threads are left alone. One more thread, with a
 * descriptor table of its own, drops its privileges and then calls execve(2), which ends all other
 * threads and keeps the credentials of this one; every thread of the new program descends from it.
 * If the kernel refuses a step, the thread ends, and the others still have all that they had.
 */
#include "xsocket/private.h"

#include "core/fd.h"
#include "core/glibc.h"
#include "core/visibility.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LISTEN_FD 3 /* where sd_listen_fds(3) looks for the first descriptor */
#define CWD_FD    4 /* where the command looks for the directory it was started in */

/* On i386 the calls of these plain names take 16-bit ids. */
#ifdef SYS_setgroups32
#define SET_GROUPS SYS_setgroups32
#define SET_GIDS   SYS_setresgid32
#define SET_UIDS   SYS_setresuid32
#else
#define SET_GROUPS SYS_setgroups
#define SET_GIDS   SYS_setresgid
#define SET_UIDS   SYS_setresuid
#endif

/*
 * Lists the NUL-terminated texts that lie one after the other in block. The list ends with NULL,
 * and the caller frees it. Return: 0, -EINVAL, -ENOMEM.
 */
static int split_texts(char *block, unsigned len, char ***ret)
{
	size_t count = 0;

	if (len > 0 && block[len - 1] != '\0')
		return -EINVAL;
	for (unsigned at = 0; at < len; at++)
		count += block[at] == '\0';

	char **texts = calloc(count + 1, sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	count = 0;
	for (unsigned at = 0; at < len; at += (unsigned)strlen(block + at) + 1)
		texts[count++] = block + at;
	*ret = texts;
	return 0;
}

static long set_process(int option, long arg2, long arg3)
{
	return SYS_CALL(SYS_prctl, option, arg2, arg3);
}

/* The one capability to keep is CAP_CHOWN, by which a server stamps sockets. Return: its bit, 0 if
 * the caller does not have it, -errno. */
static long capability_kept(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	long rc = SYS_CALL(SYS_capget, (long)&header, (long)data);

	return rc < 0 ? rc : (long)(data[0].permitted & 1U << CAP_CHOWN);
}

/* Drops every capability but CAP_CHOWN from the bounding set. */
static int bound_capabilities(void)
{
	for (int cap = 0;; cap++) {
		long rc = set_process(PR_CAPBSET_READ, cap, 0);

		if (rc == -EINVAL)
			return 0; /* past the kernel's last one */
		if (rc > 0 && cap != CAP_CHOWN)
			rc = set_process(PR_CAPBSET_DROP, cap, 0);
		if (rc < 0)
			return (int)rc;
	}
}

/* Makes the kept bits survive execve(2) as another user: permitted, inheritable, then ambient. */
static int keep_capability(unsigned bits)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
	    {.effective = bits, .permitted = bits, .inheritable = bits}};
	long rc = SYS_CALL(SYS_capset, (long)&header, (long)data);

	if (rc == 0)
		rc = set_process(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0);
	if (rc == 0 && bits)
		rc = set_process(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN);
	return (int)rc;
}

static int shed_privileges(unsigned uid, unsigned gid, const unsigned *groups, unsigned count)
{
	const long bits = capability_kept();
	long rc = bits < 0 ? bits : set_process(PR_SET_KEEPCAPS, 1, 0);

	if (rc == 0)
		rc = bound_capabilities();
	if (rc == 0)
		rc = SYS_CALL(SET_GROUPS, (long)count, (long)groups);
	if (rc == 0)
		rc = SYS_CALL(SET_GIDS, (long)gid, (long)gid, (long)gid);
	if (rc == 0)
		rc = SYS_CALL(SET_UIDS, (long)uid, (long)uid, (long)uid);
	if (rc == 0)
		rc = keep_capability((unsigned)bits);
	if (rc == 0)
		rc = set_process(PR_SET_NO_NEW_PRIVS, 1, 0);
	return (int)rc;
}

/* Copies fd to a number above the two that are still to be filled. */
static int lift(int fd)
{
	return sys_fcntl(fd, F_DUPFD_CLOEXEC, CWD_FD + 1);
}

/* Puts the two descriptors where the new program looks for them. */
static int place_descriptors(int listen_fd, int cwd_fd)
{
	CLEANUP_CLOSE int listener = lift(listen_fd);
	CLEANUP_CLOSE int cwd = lift(cwd_fd);
	long rc = listener < 0 ? listener : cwd;

	if (rc >= 0)
		rc = sys_dup3(listener, LISTEN_FD, 0);
	if (rc >= 0)
		rc = sys_dup3(cwd, CWD_FD, 0);
	return rc < 0 ? (int)rc : 0;
}

static long close_from(unsigned first, unsigned flags)
{
	return SYS_CALL(SYS_close_range, (long)first, (long)~0U, (long)flags);
}

/* Keeps all other descriptors from the new program. Linux 5.9 and 5.10 can only close them at once,
 * so this is the last step before execve(2). */
static long hold_back_others(void)
{
	long rc = close_from(CWD_FD + 1, CLOSE_RANGE_CLOEXEC);

	return rc == -EINVAL ? close_from(CWD_FD + 1, 0) : rc;
}

struct successor {
	int listen_fd, cwd_fd;
	unsigned uid, gid;
	const unsigned *groups;
	unsigned group_count;
	char **argv, **env;
	long rc;
};

static void *become(void *successor)
{
	struct successor *next = successor;
	/* A descriptor table of its own, which other threads no longer change. */
	long rc = close_from(~0U, CLOSE_RANGE_UNSHARE);

	if (rc == 0)
		rc = place_descriptors(next->listen_fd, next->cwd_fd);
	if (rc == 0)
		rc = shed_privileges(next->uid, next->gid, next->groups, next->group_count);
	if (rc == 0)
		rc = hold_back_others();
	if (rc == 0)
		rc = SYS_CALL(SYS_execve, (long)next->argv[0], (long)next->argv, (long)next->env);
	next->rc = rc;
	return NULL;
}

EXPORT int xs1_exec_as(int listen_fd, int cwd_fd, unsigned uid, unsigned gid,
                       const unsigned *groups, unsigned group_count, char *argv, unsigned argv_len,
                       char *env, unsigned env_len)
{
	struct successor next = {listen_fd, cwd_fd, uid, gid, groups, group_count, NULL, NULL, 0};
	pthread_t thread;
	int rc = split_texts(argv, argv_len, &next.argv);

	if (rc == 0)
		rc = split_texts(env, env_len, &next.env);
	if (rc == 0)
		rc = -pthread_create(&thread, NULL, become, &next);
	if (rc == 0)
		rc = -pthread_join(thread, NULL);
	free(next.env);
	free(next.argv);
	return rc == 0 ? (int)next.rc : rc;
}
