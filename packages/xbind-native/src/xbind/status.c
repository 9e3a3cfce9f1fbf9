/* SPDX-License-Identifier: MIT */
#include "xbind/status.h"

#include "core/sys.h"
#include "xbind/explicit.h"
#include "xbind/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <linux/tcp.h> /* not every libc has all of struct tcp_info */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define CARRIED         (O_NONBLOCK | O_APPEND)
#define ALL_PERMISSIONS 07777 /* the mode without the type of file */

static int carry_owner(int old, int to)
{
	struct f_owner_ex owner = {0};
	int rc = sys_fcntl(old, F_GETOWN_EX, (long)&owner);

	if (rc < 0 || (owner.pid == 0 && owner.type == 0))
		return rc;
	return sys_fcntl(to, F_SETOWN_EX, (long)&owner);
}

static int carry_signal(int old, int to)
{
	int signal = sys_fcntl(old, F_GETSIG, 0);

	return signal > 0 ? sys_fcntl(to, F_SETSIG, signal) : signal;
}

static int set_mode(int fd, int mode)
{
	return (int)SYS_CALL(SYS_fchmod, fd, mode & ALL_PERMISSIONS);
}

/*
 * The server has stamped the new socket with our ids, but the program may have changed those of its
 * own. The mode comes first: once the socket is another user's, we may no longer change it. If we
 * may even so, the set-ID bits are set again, which fchown(2) clears.
 */
static void carry_ids(int old, int to)
{
	const int mask = STATX_UID | STATX_GID | STATX_MODE;
	struct statx owner, now;

	/* Where neither statx(2) nor fstat(2) is allowed, the log is not known and says nothing. */
	if (sys_statx(old, mask, &owner) < 0 || sys_statx(to, mask, &now) < 0)
		return;
	if (owner.stx_mode != now.stx_mode)
		log_lost(old, "mode of the socket", set_mode(to, owner.stx_mode));
	if (owner.stx_uid == now.stx_uid && owner.stx_gid == now.stx_gid)
		return;
	log_lost(old, "owner of the socket", sys_fchown(to, owner.stx_uid, owner.stx_gid));
	if (owner.stx_mode & (S_ISUID | S_ISGID))
		set_mode(to, owner.stx_mode);
}

/*
 * Has a connection of this stream socket ended, with no connect(2) since? Then it is shut down by
 * the kernel, only until the next connection, and there is nothing to carry over.
 */
static bool has_ended(int fd, const struct kind *kind)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (kind->type == SOCK_STREAM)
		sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.tcpi_segs_out > 0;
}

/* One that is no longer shut for reading was opened again by connect(2) to AF_UNSPEC. */
static bool was_shut(socket_key key, bool reading)
{
	return explicit_is_set(key, EXPLICIT_SHUT) &&
	       (reading || !explicit_is_set(key, EXPLICIT_SHUT_BOTH));
}

/* On a socket that is not connected it takes effect and fails with ENOTCONN. */
static void shut(int old, int to, int how)
{
	const int rc = sys_shutdown(to, how);

	log_lost(old, how == SHUT_RD ? "shutdown for reading" : "shutdown for writing",
	         rc == -ENOTCONN ? 0 : rc);
}

/* A stream socket that is not connected has POLLHUP in any case. */
static void carry_shutdown(int old, int to, const struct kind *kind, socket_key key)
{
	const int events = sys_poll(old, POLLRDHUP, 0);
	const bool reading = events > 0 && events & POLLRDHUP;
	const bool both = reading && events & POLLHUP && kind->type == SOCK_DGRAM;

	if (reading && has_ended(old, kind))
		return;
	if (reading)
		shut(old, to, SHUT_RD);
	if (both || was_shut(key, reading))
		shut(old, to, SHUT_WR);
}

void status_prepare(int old, int to, const struct kind *kind, socket_key key)
{
	carry_ids(old, to);
	carry_shutdown(old, to, kind, key);
}

int status_carry(int old, int to)
{
	int flags = sys_fcntl(old, F_GETFL, 0);

	if (flags < 0)
		return flags;
	if (flags & CARRIED) {
		int rc = sys_fcntl(to, F_SETFL, flags & CARRIED);

		if (rc < 0)
			return rc;
	}
	log_lost(old, "F_SETOWN", carry_owner(old, to));
	log_lost(old, "F_SETSIG", carry_signal(old, to));
	/* Only the socket's owner may set it, so it is lost if the server could not stamp the
	 * socket. */
	if (flags & O_NOATIME)
		log_lost(old, "O_NOATIME", sys_fcntl(to, F_SETFL, flags & (CARRIED | O_NOATIME)));
	return flags;
}

void status_quiet(int fd, int flags)
{
	if (flags & O_ASYNC)
		sys_fcntl(fd, F_SETFL, flags & ~O_ASYNC);
}

void status_async(int fd, int flags)
{
	int now;

	if (!(flags & O_ASYNC))
		return;
	now = sys_fcntl(fd, F_GETFL, 0);
	log_lost(fd, "O_ASYNC", now < 0 ? now : sys_fcntl(fd, F_SETFL, now | O_ASYNC));
}
