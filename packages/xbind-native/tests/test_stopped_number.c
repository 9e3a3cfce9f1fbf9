/* SPDX-License-Identifier: MIT */
/*
 * test_stopped_number.c - another thread gives a socket another number while one is stopped in bind
 *
 * Ports 3000 to 3999 are listed, and 0.
 */
#include "support/child.h"
#include "support/watched.h"

#include <fcntl.h>
#include <sys/stat.h>

static int renumbered;

static void renumber_watched(void)
{
	renumbered = dup(watched.fd);
	CHECK_EQ(close(watched.fd), 0);
}

/* The socket is bound under its new number. */
static void check_renumbered(void)
{
	CHECK_EQ(pair_port(renumbered), 3700);
	CHECK(pair_is_there(renumbered));
}

static void test_renumbered_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_watched, SHUT_RD, renumber_watched);
	if (!pair_preloaded())
		renumber_watched();
	check_renumbered();
}

#define TTL        77
#define OTHER_PORT 3701

/* Moves the socket to a new number, and gives its old one to a socket of another kind. */
static void give_number_away(void)
{
	renumbered = dup(watched.fd);
	put_consume(pair_socket(SOCK_DGRAM), watched.fd);
}

/* The same at the first call, and another new number at the second. */
static void give_number_away_twice(void)
{
	const int before = renumbered;

	watched.is_early = before == 0;
	if (before == 0) {
		give_number_away();
		return;
	}
	renumbered = dup(before);
	close(before);
}

static int shared_socket(void)
{
	const int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	return fd;
}

/* The socket is bound with its own options, and the one under its old number is unchanged. */
static void give_away_meanwhile(long call, unsigned argument, void (*act)(void))
{
	struct stat status;

	CHECK_EQ(pair_bind(shared_socket(), watched.port), 0);
	watched.fd = shared_socket();
	CHECK_EQ(pair_set(watched.fd, IPPROTO_IP, IP_TTL, TTL), 0);
	CHECK_EQ(fchmod(watched.fd, S_IRWXU), 0);
	run_watched_or_after(bind_watched, call, argument, act);
	check_renumbered();
	CHECK_EQ(pair_option(renumbered, IPPROTO_IP, IP_TTL), TTL);
	CHECK_EQ(fstat(renumbered, &status), 0);
	CHECK_EQ(status.st_mode, S_IFSOCK | S_IRWXU);
	CHECK_EQ(pair_port(watched.fd), 0);
	CHECK_EQ(pair_option(watched.fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
}

/* At the time when the server makes the new socket. */
static void test_given_away_while_asking(void)
{
	give_away_meanwhile(SYS_shutdown, SHUT_WR, give_number_away);
}

/* When the library knows the kind of socket and has not asked for anything yet. */
static void test_given_away_before(void)
{
	give_away_meanwhile(SYS_rt_sigaction, 0, give_number_away);
}

/* When only the exchange is left to do. */
static void test_given_away_late(void)
{
	give_away_meanwhile(CALL_FCNTL, F_GETFD, give_number_away_twice);
}

static void limit_ttl(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_set(watched.fd, IPPROTO_IP, IP_MINTTL, TTL), 0);
}

static void renumber_and_put_another(void)
{
	renumbered = dup(watched.fd);
	put_another();
}

/* The same if its number is no socket's by the time an option is read that must not be lost. */
static void test_given_away_surveyed(void)
{
	limit_ttl();
	run_watched_or_after(bind_watched, CALL_FCNTL, F_GETFL, renumber_and_put_another);
	check_renumbered();
	CHECK_EQ(pair_option(renumbered, IPPROTO_IP, IP_MINTTL), TTL);
}

/* If it has no other number, bind succeeds as ever. */
static void test_closed_surveyed(void)
{
	limit_ttl();
	run_watched(bind_watched, CALL_FCNTL, F_GETFL, put_another);
}

#define LAST_LOOK 6 /* by then the library has found out all about the number */

static int look, looks;

/* Puts a socket of another kind under the number, once it was looked at so many times. */
static void put_other_kind(void)
{
	watched.is_early = looks++ < look;
	if (!watched.is_early)
		put_consume(pair_socket(SOCK_DGRAM), watched.fd);
}

static void give_away_at_look(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched(bind_watched, SYS_getsockopt, SOL_SOCKET, put_other_kind);
	if (!pair_preloaded())
		return;
	CHECK_EQ(pair_option(watched.fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	CHECK(pair_port(watched.fd) == 0 || pair_is_there(watched.fd));
}

/* Whichever of the two sockets is bound, the one that is there stays of its kind. */
static void test_given_away_known(void)
{
	for (look = 0; look <= LAST_LOOK; look++)
		child_run(give_away_at_look);
}

static int came_to; /* errno of bind, or 0 */
static _Atomic bool has_come;

static void bind_refused(void)
{
	came_to = error_of(pair_bind(watched.fd, watched.port));
	has_come = true;
	if (pair_preloaded())
		syscall(SYS_getsockopt, -1, SOL_SOCKET, SO_TYPE, NULL, NULL); /* the last look */
}

static void refuse_from_look(void)
{
	watched.is_early = !has_come;
	watched.error = looks++ < look ? 0 : FORBIDDEN;
}

#define NOT_REFUSED 2 /* status of a child: only the last look was */

/* Either bind fails and leaves the socket as it was, or the socket is bound. The registrations are
 * there in either case, also one that has fired, and that of a copy. */
static void refuse_at_look(void)
{
	struct epoll_event event = {.events = EPOLLOUT};
	int waiting, copy, set = epoll_create1(EPOLL_CLOEXEC);

	make_fired();
	waiting = watched.set;
	watched.set = epoll_create1(EPOLL_CLOEXEC);
	control_watched(EPOLL_CTL_ADD, EPOLLOUT);
	copy = dup(watched.fd);
	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, copy, &event), 0);
	run_watched(bind_refused, SYS_getsockopt, SOL_SOCKET, refuse_from_look);
	if (came_to == 0) {
		CHECK_EQ(pair_port(watched.fd), watched.port);
		CHECK(pair_is_there(watched.fd));
	} else {
		CHECK_EQ(came_to, FORBIDDEN);
		CHECK_EQ(pair_port(watched.fd), 0);
	}
	CHECK(is_ready(watched.set));
	CHECK(is_ready(set));
	watched.set = waiting;
	control_watched(EPOLL_CTL_MOD, EPOLLOUT);
	CHECK(is_ready(watched.set));
	_exit(looks > look + 1 ? 0 : NOT_REFUSED);
}

/* Another thread applies a seccomp(2) filter to all threads that forbids getsockopt(2). */
static void test_refused_meanwhile(void)
{
	int status = 0;

	for (look = 0; status == 0; look++) {
		const pid_t child = child_start();

		if (child == 0)
			refuse_at_look();
		CHECK_EQ(waitpid(child, &status, 0), child);
	}
	CHECK_EQ(WEXITSTATUS(status), NOT_REFUSED);
}

static void bind_elsewhere(void)
{
	give_number_away();
	if (pair_preloaded())
		CHECK_EQ(pair_bind(renumbered, NOT_LISTED), 0);
}

/* Another thread binds the socket under its new number: what has the old number stays unbound. */
static void test_given_away_bound(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_or_after(bind_watched_late, SYS_shutdown, SHUT_WR, bind_elsewhere);
	CHECK_EQ(pair_port(watched.fd), 0);
	CHECK_EQ(pair_port(renumbered), pair_preloaded() ? NOT_LISTED : watched.port);
}

static void give_number_to_moved(void)
{
	const int moved = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(moved, OTHER_PORT), 0);
	renumbered = dup(watched.fd);
	put_consume(moved, watched.fd);
}

/* So it is if what has its old number is a socket that has moved before. */
static void test_given_away_to_moved(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_or_after(bind_watched, SYS_shutdown, SHUT_WR, give_number_to_moved);
	check_renumbered();
	CHECK_EQ(pair_port(watched.fd), OTHER_PORT);
}

static void put_another_socket(void)
{
	put_consume(pair_socket(SOCK_STREAM), watched.fd);
}

/* A socket that has moved and lost its port is closed: nobody is bound in its place. */
static void test_moved_closed_before(void)
{
	watched.fd = pair_socket(SOCK_DGRAM);
	CHECK_EQ(pair_bind(watched.fd, 0), 0);
	CHECK_EQ(pair_connect(watched.fd, 9), 0);
	CHECK_EQ(pair_disconnect(watched.fd), 0);
	run_watched_or_after(bind_watched, SYS_rt_sigaction, 0, put_another_socket);
	CHECK_EQ(pair_port(watched.fd), 0);
}

int main(void)
{
	if (!forbid_works())
		test_skip("the emulator's own calls would be filtered");
	RUN_BY(child_run, test_renumbered_meanwhile);
	RUN_BY(child_run, test_given_away_while_asking);
	RUN_BY(child_run, test_given_away_before);
	RUN_BY(child_run, test_given_away_late);
	RUN(test_given_away_known);
	RUN_BY(child_run, test_given_away_surveyed);
	RUN_BY(child_run, test_closed_surveyed);
	RUN(test_refused_meanwhile);
	RUN_BY(child_run, test_given_away_bound);
	RUN_BY(child_run, test_given_away_to_moved);
	RUN_BY(child_run, test_moved_closed_before);
	return 0;
}
