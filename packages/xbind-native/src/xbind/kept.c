/* SPDX-License-Identifier: MIT */
#include "xbind/kept.h"

#include "core/fd.h"
#include "xbind/config.h"
#include "xbind/fdtable.h"
#include "xbind/key.h"
#include "xbind/lock.h"
#include "xbind/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

/* Above the numbers that programs use for themselves or close without looking. */
#define KEPT_FD_MIN 1000

#define LOCK_STEP_MS 1 /* milliseconds between two looks at a lock that another process holds */
#define STRAYS_MAX   8 /* answers to others that are thrown away for one request */

#define STRAY_WAIT_MS 1000 /* milliseconds; longest wait for ours behind an answer to others */

static _Atomic int holder; /* the thread that uses kept */
static struct {
	_Atomic int fd; /* the number, which the program may have reused */
	_Atomic unsigned user;
	socket_key key;
} kept = {.fd = -1};

/* The program may have closed the number, and opened something else there. */
static bool is_ours(void)
{
	return kept.fd >= 0 && key_of(kept.fd) == kept.key;
}

static bool is_usable(void)
{
	return kept.user == sys_geteuid() && is_ours();
}

/* Does poll(2) say that the server has closed the connection? */
static bool is_end(int ready)
{
	return ready > 0 && ready & POLLHUP;
}

static void drop(void)
{
	if (is_ours())
		sys_close(kept.fd);
	kept.fd = -1;
}

/* To a high number, where there is one; the low ones are the program's. */
static int move_up_consume(int fd)
{
	uint64_t limits[2] = {0};
	int up = -EINVAL;

	if (sys_descriptor_limits(limits) == 0)
		up = sys_fcntl(fd, F_DUPFD_CLOEXEC,
		               limits[0] > KEPT_FD_MIN ? KEPT_FD_MIN : (long)limits[0] / 2);
	if (up < 0)
		return fd;
	sys_close(fd);
	return up;
}

/*
 * A server may close a connection that has asked for nothing for a while, and the next bind can be
 * far off. So ask for a socket at once, which also shows that the server works. Whether it grants
 * this one does not matter.
 */
static int ask_once(int conn, const struct deadline *deadline)
{
	const struct wire_request request = {AF_INET, SOCK_STREAM, 0};
	int fd = handover_send(conn, &request);

	if (fd == 0)
		fd = handover_receive(conn, &request, true, deadline);
	if (fd >= 0)
		sys_close(fd);
	return fd == -ECONNRESET || fd == -EBADMSG || fd == -ETIMEDOUT ? fd : 0;
}

static int connect_anew(void)
{
	struct deadline deadline = deadline_in(config_wait_ms());
	CLEANUP_CLOSE int fd = handover_connect(config_socket(), config_any_server(), &deadline);
	int rc = fd < 0 ? fd : ask_once(fd, &deadline);
	socket_key key;

	if (rc < 0)
		return rc;
	fd = move_up_consume(take_fd(&fd));
	key = key_of(fd);
	if (key == KEY_NONE)
		return key_error(fd);
	drop();
	kept.key = key;
	kept.user = sys_geteuid();
	kept.fd = take_fd(&fd);
	return 0;
}

/*
 * One that works, but was made by another user, is given up only for a new one: that user may come
 * back.
 * Return: 1 when a connection was made, 0 when there is one that can be used, else -errno.
 */
static int renew(void)
{
	const bool works = is_ours() && !is_end(sys_poll(kept.fd, POLLIN, 0));
	int rc;

	if (works && kept.user == sys_geteuid())
		return 0;
	if (kept.fd >= 0 && !fdtable_is_owners())
		return 0; /* that of a parent, suspended by vfork(2) */
	if (!works)
		drop();
	rc = connect_anew();
	return rc < 0 ? rc : 1;
}

bool kept_open(void)
{
	const struct lock_turn turn = lock_enter(&holder, config_wait_ms());
	const int rc = turn.held ? renew() : -ETIMEDOUT;

	lock_leave(&turn);
	if (rc < 0)
		log_kept(rc);
	return rc > 0;
}

bool kept_is_foreign(void)
{
	return kept.fd >= 0 && kept.user != sys_geteuid();
}

void kept_close(void)
{
	const struct lock_turn turn = lock_enter(&holder, config_wait_ms());

	if (turn.held)
		drop();
	lock_leave(&turn);
}

/* A record lock, unlike one of flock(2), belongs to a process and ends with it. */
static int lock(short type)
{
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};

	return sys_fcntl(kept.fd, F_SETLK, (long)&whole);
}

/*
 * Waits for other processes. Not by F_SETLKW, which has no time limit. A bind with no time left
 * does not ask, since an answer that nobody waits for would end the connection for all.
 */
static int lock_until(const struct deadline *deadline)
{
	while (deadline_left_ms(deadline) != 0) {
		int rc = lock(F_WRLCK);

		if (rc != -EAGAIN)
			return rc;
		sys_poll(-1, 0, LOCK_STEP_MS);
	}
	return -ETIMEDOUT;
}

/* Throws away answers to a process that was killed before it could take them. */
static int throw_strays(const struct wire_request *request)
{
	for (int i = 0; i < STRAYS_MAX; i++) {
		int rc = sys_poll(kept.fd, POLLIN, 0);
		int fd;

		if (is_end(rc))
			return -ECONNRESET;
		if (rc <= 0)
			return rc;
		fd = handover_take(kept.fd, request, true);
		if (fd >= 0)
			sys_close(fd);
	}
	return -EBADMSG;
}

/* An answer to such a process may still arrive before ours. If it is a socket of another kind it is
 * thrown away (EBADMSG); one of this kind will do; and an error is taken for ours, since nothing
 * tells whose it is. */
static int receive_own(const struct wire_request *request, const struct deadline *deadline)
{
	int rc = handover_receive(kept.fd, request, true, deadline);
	const int left = deadline_left_ms(deadline);
	const struct deadline soon = deadline_in(left < STRAY_WAIT_MS ? left : STRAY_WAIT_MS);
	int fd = rc;

	for (int i = 0; fd == -EBADMSG && i < STRAYS_MAX; i++)
		fd = handover_receive(kept.fd, request, true, &soon);
	return fd == -ETIMEDOUT ? rc : fd;
}

static int exchange(const struct wire_request *request, const struct deadline *deadline)
{
	int rc = throw_strays(request);

	if (rc == 0)
		rc = handover_send(kept.fd, request);
	if (rc == 0)
		rc = receive_own(request, deadline);
	/* A late answer would be taken as that to the next request, also by other processes. */
	if (rc == -ECONNRESET || rc == -EBADMSG || rc == -ETIMEDOUT) {
		sys_shutdown(kept.fd, SHUT_RDWR);
		drop();
	}
	return rc == -ECONNRESET ? -ENOTCONN : rc;
}

static int request_in_turn(const struct wire_request *request, const struct deadline *deadline)
{
	int rc = is_usable() ? lock_until(deadline) : -ENOTCONN;

	if (rc < 0)
		return rc;
	rc = exchange(request, deadline);
	lock(F_UNLCK);
	return rc;
}

int kept_request(const struct wire_request *request, const struct deadline *deadline)
{
	int rc;

	if (kept.fd < 0)
		return -ENOTCONN;
	if (!lock_take(&holder, deadline_left_ms(deadline)))
		return -ETIMEDOUT;
	rc = request_in_turn(request, deadline);
	lock_give(&holder);
	return rc;
}
