/* SPDX-License-Identifier: MIT */
/*
 * swap.c - the order of things when a socket moves
 *
 * How it works: everything that can fail comes first and happens to the new socket alone. Only
 * after the program's call has succeeded there does the new socket take the old one's number.
 *
 *   swap_socket()        one swap of a socket at a time (claim.h); one that has moved stays.
 *                        Signals are handled when it is over, as the kernel does at a bind(2)
 *     target_socket()      the server is asked; while it makes the new socket, which takes about as
 *                          long, the old one's options are looked at (survey.h)
 *     carry_options()      they are set on the new socket
 *     status_prepare()     its inode's owner and mode, and what was shut down (status.h)
 *     await_server()       the server has let go of its copy
 *     run()                the program's call: bind(2) or listen(2)
 *     exchange()           a look at the old socket, which another thread may have bound or
 *                          closed meanwhile
 *       epollset_detach()    out of every epoll set
 *       take_number()        flags and who gets signals (status.h), a last look at the old socket,
 *                            then dup3(2) (renumber.h)
 *       copies_exist_..()    does somebody still hold the old socket?
 *       epollset_attach()    into the same sets
 *       copies_replace()     and the same for every dup(2) of the old socket
 */
#include "xbind/swap.h"

#include "core/fd.h"
#include "core/handover.h"
#include "xbind/carry.h"
#include "xbind/claim.h"
#include "xbind/copies.h"
#include "xbind/epollset.h"
#include "xbind/flight.h"
#include "xbind/kept.h"
#include "xbind/key.h"
#include "xbind/log.h"
#include "xbind/moved.h"
#include "xbind/optlog.h"
#include "xbind/real.h"
#include "xbind/renumber.h"
#include "xbind/status.h"
#include "xbind/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

/* milliseconds; how long a bind waits for the server to close the connection, and how long if the
 * last one waited in vain */
#define SERVER_CLOSE_MS     1000
#define SERVER_LINGERING_MS 50

/* Asks on a new connection. */
static int ask(const struct wire_request *request, const struct deadline *deadline, int *ret_conn)
{
	CLEANUP_CLOSE int conn = handover_connect(config_socket(), config_any_server(), deadline);
	int rc = conn < 0 ? conn : handover_send(conn, request);

	if (rc < 0)
		return rc;
	*ret_conn = flight_add(take_fd(&conn));
	return 0;
}

/*
 * The server has closed without an answer. Its recvmsg(2) looks for a packet first and for the end
 * of the stream after that: if the request and the end both arrived in between, it reports only the
 * end. This time the end is sent after the answer.
 */
static int ask_again(const struct wire_request *request, const struct deadline *deadline, int *conn)
{
	int rc;

	flight_close(conn);
	rc = ask(request, deadline, conn);
	if (rc < 0)
		return rc;
	rc = handover_receive(*conn, request, true, deadline);
	sys_shutdown(*conn, SHUT_WR);
	return rc;
}

/* Asks on the kept connection. Return: the new socket, -ENOTCONN where there is no connection. */
static int ask_kept(const struct wire_request *request, const struct deadline *deadline)
{
	return flight_add(fd_beyond_standard(kept_request(request, deadline)));
}

/*
 * Gets a new socket, and surveys the old one meanwhile. Both the socket and the connection on which
 * the server was asked, -1 where it is the kept one, are in flight.
 */
static int target_socket(int old, const struct swap_call *call, struct survey *ret_survey,
                         int *conn)
{
	const struct kind *kind = &call->kind;
	const struct wire_request request = {kind->domain, kind->type, kind->protocol};
	struct deadline deadline = deadline_in(config_wait_ms());
	CLEANUP_FLIGHT int new_fd = ask_kept(&request, &deadline);
	int rc = new_fd == -ENOTCONN ? ask(&request, &deadline, conn) : new_fd;

	if (rc < 0 && new_fd == -ENOTCONN) { /* another thread may have called chroot(2) */
		new_fd = ask_kept(&request, &deadline);
		rc = new_fd == -ENOTCONN ? rc : new_fd;
	}
	if (rc < 0)
		return rc;
	if (new_fd < 0)
		sys_shutdown(*conn, SHUT_WR);
	rc = survey_take(old, kind, call->key, ret_survey);
	if (rc < 0)
		return rc;
	if (new_fd < 0) {
		rc = handover_receive(*conn, &request, true, &deadline);
		if (rc == -ECONNRESET)
			rc = ask_again(&request, &deadline, conn);
		new_fd = flight_add(fd_beyond_standard(rc));
	}
	return take_fd(&new_fd);
}

/*
 * The server closes its copy of the socket after it has sent it, and then the connection. Until
 * then a port that the program closes again would stay open, and could not be bound again. A server
 * that has not closed in time may be one that keeps connections: it is not given as long again,
 * until it does close in time.
 */
static void await_server(int conn)
{
	static _Atomic int wait_ms = SERVER_CLOSE_MS;
	const int given_ms = wait_ms, longest_ms = config_wait_ms();
	const struct deadline deadline = deadline_in(given_ms < longest_ms ? given_ms : longest_ms);

	if (conn >= 0)
		wait_ms = handover_wait(conn, &deadline) == -ETIMEDOUT ? SERVER_LINGERING_MS
		                                                       : SERVER_CLOSE_MS;
}

/* The socket on which this thread runs the program's call. */
static __thread int running __attribute__((tls_model("initial-exec"))) = -1;

bool swap_runs(int fd)
{
	return fd >= 0 && fd == running;
}

#define SWAP_E_GONE KEY_E_GONE

/* key_look(), and SWAP_E_LEAVE when the socket is bound. */
static int look_again(int fd, socket_key key)
{
	const int rc = key_look(fd, key);

	if (rc != 0)
		return rc;
	if (kind_is_unbound(fd))
		return 0;
	/* or another file has just taken its place */
	return key_of(fd) == key ? SWAP_E_LEAVE : SWAP_E_GONE;
}

/* Return: rc, or SWAP_E_GONE for an error that is about whatever has the number by now. */
static int unless_gone(int rc, int fd, socket_key key)
{
	return rc < 0 && key_look(fd, key) == SWAP_E_GONE ? SWAP_E_GONE : rc;
}

/*
 * The flags of the open file are carried over as late as possible, since another thread may change
 * them. It may also have closed the number and opened something there, which has to stay, or have
 * connected the socket, which would lose its peer.
 */
static int take_number(int old, int new_fd, socket_key key, int *ret_status)
{
	int status = status_carry(old, new_fd);
	int fd_flags = status < 0 ? status : sys_fcntl(old, F_GETFD, 0);
	int rc = look_again(old, key);

	if (rc != 0)
		return rc;
	if (fd_flags < 0)
		return fd_flags;
	status_quiet(old, status);
	*ret_status = status;
	return renumber(new_fd, old, fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/*
 * The new socket takes the old one's number and its registrations in epoll sets. The copies follow
 * without the lock, since other threads need not wait for them.
 */
static int exchange(int old, int new_fd, socket_key key)
{
	const struct lock_turn turn = claim_number(old);
	const uint64_t inode = sys_inode(old);
	struct epollset_move move;
	bool has_copies = false;
	int status = 0;
	int rc = look_again(old, key); /* after sys_inode(), which may have seen another file */

	if (rc == 0) {
		rc = epollset_detach(old, key, inode, &move);
		if (rc < 0)
			epollset_attach(old, old, &move);
	}
	if (rc == 0) {
		const int watch = copies_watch(old);

		rc = take_number(old, new_fd, key, &status);
		has_copies = copies_exist_consume(watch);
		if (rc != SWAP_E_GONE)
			epollset_attach(old, rc == 0 ? new_fd : old, &move);
	}
	lock_leave(&turn);
	if (rc == 0 && has_copies)
		copies_replace(key, inode, old, new_fd);
	status_async(old, status); /* whichever socket has the number now */
	return rc;
}

static int fail(const struct swap_call *call, const char *what, int error)
{
	log_failed(call->fd, kind_proto(&call->kind), call->port, call->published, what, error);
	return error;
}

/* Runs the call on the socket that is to be the program's, or is already. */
static int run(int fd, const struct swap_call *call)
{
	const int interrupted = running;
	int rc;

	running = fd;
	rc = call->listen ? real_listen(fd, call->backlog) : real_bind(fd, call->addr, call->len);
	running = interrupted;
	return rc < 0 ? fail(call, call->listen ? "listen" : "bind", rc) : rc;
}

static void log_success(int new_fd, const struct swap_call *call)
{
	log_moved(call->fd, new_fd, kind_proto(&call->kind), call->port, call->published);
}

/* now is the number that the socket has by now. */
static int swap_claimed(int now, const struct swap_call *call)
{
	const socket_key key = call->key;
	CLEANUP_FLIGHT int conn = -1;
	struct survey survey;
	CLEANUP_FLIGHT int new_fd = target_socket(now, call, &survey, &conn);
	int rc;

	if (new_fd < 0)
		return fail(call,
		            kept_is_foreign() ? "asking for a socket as another user than at chroot"
		                              : "asking for a socket",
		            new_fd);
	rc = unless_gone(carry_options(now, new_fd, key, &survey), now, key);
	if (rc == SWAP_E_GONE)
		return rc;
	if (rc < 0)
		return fail(call, "carrying its options over", rc);
	status_prepare(now, new_fd, &call->kind, key);
	/* If the number has been reused, another file may have been surveyed. If the socket lives
	 * on under another number, it is surveyed there. */
	if (key_of(now) != key && kind_number_of(key, now) >= 0)
		return SWAP_E_GONE;
	/* Before bind(2): an open port takes datagrams from others of its SO_REUSEPORT group. */
	await_server(conn);
	/* It may have the last free number, and epollset_detach() needs one to read /proc. */
	flight_close(&conn);
	rc = run(new_fd, call);
	if (rc < 0)
		return rc;
	rc = unless_gone(exchange(now, new_fd, key), now, key);
	if (rc < 0)
		return fail(call, "replacing the socket", rc);
	if (rc == SWAP_E_LEAVE)
		log_left(call->fd, call->port, "bound by another thread meanwhile");
	if (rc != 0)
		return rc;
	optlog_forget(key);
	log_success(new_fd, call);
	return 0;
}

/* If the number is closed meanwhile but the socket lives on under another one, starts again with
 * that. */
static int swap_renumbered(const struct swap_call *call)
{
	const unsigned before = moved_count();
	int now = call->fd, rc = swap_claimed(now, call);

	while (rc == SWAP_E_GONE && (now = kind_number_of(call->key, now)) >= 0)
		rc = swap_claimed(now, call);
	if (rc != SWAP_E_GONE)
		return rc == SWAP_E_LEAVE && now != call->fd ? -EINVAL : rc;
	if (moved_since(call->fd, before)) { /* by one without a claim (claim.h) */
		log_left(call->fd, call->port, "bound by another thread meanwhile");
		return SWAP_E_LEAVE;
	}
	log_left(call->fd, call->port, "closed by another thread meanwhile");
	return 0; /* as if it had been bound and then closed */
}

int swap_socket(const struct swap_call *call)
{
	const struct lock_turn claim = claim_take(call->key);
	/* by the last holder of the claim, or before that, and has lost its port since */
	const bool has_moved = moved_is(key_of(call->fd));
	int rc = SWAP_E_LEAVE;

	if (!kind_is_unbound(call->fd)) {
		if (!call->listen)
			log_left(call->fd, call->port, "already bound or connected");
	} else if (has_moved) {
		rc = run(call->fd, call);
		if (rc == 0)
			log_success(call->fd, call);
	} else if (call->key == KEY_NONE) {
		rc = fail(call, "asking which socket it is", key_error(call->fd));
	} else {
		rc = swap_renumbered(call);
	}
	claim_end(&claim);
	return rc;
}
