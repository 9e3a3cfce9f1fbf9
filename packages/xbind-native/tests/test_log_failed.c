/* SPDX-License-Identifier: MIT */
/* test_log_failed.c - what the library logs of what fails */
#include "support/child.h"
#include "support/forbid.h"
#include "support/limit.h"
#include "support/logged.h"
#include "support/watched.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#define OTHER_USER 65534
#define COPY       100 /* the number of a copy */
#define SEQUENCE   4711

#define NOBODYS_ADDRESS 0xc0000201 /* 192.0.2.1 */

#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#endif

static void case_unreachable(void)
{
	int fd = pair_socket(SOCK_STREAM);

	if (pair_preloaded())
		CHECK_EQ(pair_bind(fd, 3000), -1);
}

#define UNREACHABLE LOGGED_FAILED "asking for a socket: ENOENT (error 2); control socket "

/* Runs a case with another control socket. */
static void check_behind(const char *socket_path, const char *name, const char *line)
{
	char *control = pair_preloaded() ? strdup(getenv("XSOCKET")) : NULL;

	setenv("XSOCKET", socket_path, 1);
	LOGGED_CHECK(name, "3000", line);
	if (control)
		setenv("XSOCKET", control, 1);
	free(control);
}

static void test_unreachable(void)
{
	check_behind("/nowhere/at/all", "unreachable", UNREACHABLE);
}

/* Even a chroot to the same root will do: the connection to keep is made first. */
static void case_jail(void)
{
	CHECK_EQ(chroot("/"), 0);
}

static void case_full_jail(void)
{
	limit_fds(STDERR_FILENO + 1);
	CHECK_EQ(chroot("/"), 0);
	_exit(0); /* LeakSanitizer needs a descriptor */
}

#define JAIL "chroot: cannot keep a connection to /nowhere/at/all: "

static void test_jail(void)
{
	check_behind("/nowhere/at/all", "jail", JAIL "ENOENT (error 2)");
	check_behind("/nowhere/at/all", "full jail", JAIL "EMFILE (error 24)");
}

/* The kept connection belongs to the user who made it, and the jail has no way to make another. */
static void case_other_user(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(chroot("/proc"), 0);
	CHECK_EQ(seteuid(OTHER_USER), 0);
	CHECK_EQ(pair_bind(fd, 3000), pair_preloaded() ? -1 : 0);
	_exit(0); /* LeakSanitizer needs /proc */
}

/* The same user gets another error. */
static void case_full(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(chroot("/proc"), 0);
	limit_fds((rlim_t)fd + 1);
	CHECK_EQ(pair_bind(fd, 3000), pair_preloaded() ? -1 : 0);
	_exit(0); /* LeakSanitizer needs /proc */
}

/* Without a chroot no connection was kept, so a change of user is not the reason. */
static void case_unreachable_to_user(void)
{
	CHECK_EQ(seteuid(OTHER_USER), 0);
	case_unreachable();
	_exit(0); /* LeakSanitizer cannot inspect a process that has changed its user */
}

static void test_other_user(void)
{
	if (seteuid(OTHER_USER) < 0)
		return; /* fails in a user namespace with one user */
	CHECK_EQ(seteuid(0), 0);
	LOGGED_CHECK("other user", "3000",
	             LOGGED_FAILED "asking for a socket as another user than at chroot: ENOENT "
	                           "(error 2); control socket ");
	check_behind("/nowhere/at/all", "unreachable to user", UNREACHABLE);
}

static void test_full(void)
{
	LOGGED_CHECK("full", "3000",
	             LOGGED_FAILED "asking for a socket: EMFILE (error 24); control socket ");
}

/* Landlock can deny abstract sockets that were made outside of the program's domain. */
static void case_scoped(void)
{
	struct {
		uint64_t files, ports, scoped;
	} rules = {.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET};
	int fd = pair_socket(SOCK_STREAM);
	int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_landlock_restrict_self, set, 0), 0);
	CHECK_EQ(pair_bind(fd, 3000), pair_preloaded() ? -1 : 0);
	if (pair_preloaded())
		CHECK_EQ(errno, EPERM);
	CHECK_EQ(pair_port(fd), pair_preloaded() ? 0 : 3000);
}

static bool landlock_knows_scopes(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 6;
}

static char abstract[sizeof(((struct sockaddr_un *)0)->sun_path)];

/* Listens at an abstract name. Return: the listener. */
static int listen_at_name(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int len = snprintf(abstract, sizeof(abstract), "@xsocket-failed-%d", getpid());

	memcpy(name.sun_path, abstract, sizeof(abstract));
	name.sun_path[0] = '\0';
	len += (int)offsetof(struct sockaddr_un, sun_path);
	CHECK_EQ(bind(listener, (struct sockaddr *)&name, (socklen_t)len), 0);
	CHECK_EQ(listen(listener, 8), 0);
	return listener;
}

static void test_scoped(void)
{
	int listener;

	if (getenv("TEST_EMULATOR") || !landlock_knows_scopes())
		return;
	listener = listen_at_name();
	check_behind(abstract, "scoped",
	             LOGGED_FAILED "asking for a socket: EPERM (error 1); control socket ");
	close(listener);
}

/* Any user may have taken the name first, and is asked only where the program's user wants that. */
static void test_stranger(void)
{
	char jail[200];
	int listener;

	if (seteuid(OTHER_USER) < 0)
		return; /* fails in a user namespace with one user */
	listener = listen_at_name();
	CHECK_EQ(seteuid(0), 0);
	check_behind(abstract, "unreachable",
	             LOGGED_FAILED "asking for a socket: EACCES (error 13); control socket ");
	snprintf(jail, sizeof(jail), "chroot: cannot keep a connection to %s: EACCES (error 13)",
	         abstract);
	check_behind(abstract, "jail", jail);
	setenv("XSOCKET_ANY_SERVER", "1", 1);
	setenv("XSOCKET_TIMEOUT_MS", "50", 1);
	check_behind(abstract, "unreachable",
	             LOGGED_FAILED "asking for a socket: ETIMEDOUT (error 110); control socket ");
	unsetenv("XSOCKET_ANY_SERVER");
	unsetenv("XSOCKET_TIMEOUT_MS");
	close(listener);
}

#define LOST(what)  "bind of descriptor 3: not carried over: " what ": error 18"
#define NOT_CARRIED LOST("option 1 of level 6")

/* An option without which the socket is not less safe, and a copy past the limit, are lost. */
static void case_lost(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(fcntl(fd, F_DUPFD, COPY), COPY);
	limit_fds_for_good(COPY);
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	forbid(SYS_setsockopt);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void test_lost(void)
{
	LOGGED_CHECK(
	    "lost", "3000", NOT_CARRIED,
	    "bind of descriptor 100: not carried over: copy of the socket: EMFILE (error 24)",
	    LOGGED_MOVED);
}

static void refuse_once_moved(void)
{
	watched.is_early = pair_port(watched.fd) == 0;
	watched.error = watched.is_early ? 0 : FORBIDDEN;
}

/* Another thread forbids getsockopt(2) when the socket has moved: nothing tells what its copies
 * are. */
static void case_copies_hidden(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	watched.port = 3000;
	CHECK_EQ(dup(watched.fd), watched.fd + 1);
	run_watched(bind_watched, SYS_getsockopt, SOL_SOCKET, refuse_once_moved);
}

static void test_copies_hidden(void)
{
	LOGGED_CHECK("copies hidden", "3000", LOST("copies of the socket"), LOGGED_MOVED);
}

/* An option may not be read any more, though it could at the bind before. */
static void case_unread(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, 3000), 0);
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	forbid_option(IPPROTO_TCP, TCP_NODELAY);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void test_unread(void)
{
	LOGGED_CHECK("unread", "3000", LOGGED_MOVED, NOT_CARRIED, LOGGED_MOVED);
}

/* Nor could it be read at any time before. */
static void case_never_read(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	forbid_option(IPPROTO_TCP, TCP_NODELAY);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void test_never_read(void)
{
	LOGGED_CHECK("never read", "3000", NOT_CARRIED, LOGGED_MOVED);
}

static const int hidden[][2] = {
    {IPPROTO_IP, IP_OPTIONS},        {IPPROTO_IP, IP_MULTICAST_IF}, {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_PRIORITY},       {SOL_SOCKET, SO_SNDBUF},       {SOL_SOCKET, SO_RCVBUF},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP}, {SOL_SOCKET, SO_BUF_LOCK_},
};

/* The same for options that are not merely set to what was read. */
static void case_hidden(void)
{
	int fd = pair_socket(SOCK_STREAM);

	for (size_t i = 0; i < COUNT(hidden); i++)
		forbid_option(hidden[i][0], hidden[i][1]);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

/* Nothing is lost of what older kernels do not have, or have in other states alone. */
static void case_absent(void)
{
	static const int errors[] = {ENOPROTOOPT, EOPNOTSUPP, EINVAL};

	for (size_t error = 0; error < COUNT(errors); error++) {
		int fd = pair_socket(SOCK_STREAM);

		for (size_t i = 0; i < COUNT(hidden); i++)
			forbid_option_by(errors[error], hidden[i][0], hidden[i][1]);
		CHECK_EQ(pair_bind(fd, 3000), 0);
		close(fd);
	}
}

/* A socket whose receive queue has a number. Return: -1 without CAP_NET_ADMIN. */
static int repair(void)
{
	int fd = pair_socket(SOCK_STREAM);

	if (pair_set(fd, IPPROTO_TCP, TCP_REPAIR, 1) < 0) {
		close(fd);
		return -1;
	}
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, 1), 0);
	CHECK_EQ(pair_set(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, SEQUENCE), 0);
	return fd;
}

/* The program's choice of a queue stays, though it cannot be told and bind fails. */
static void case_queue_hidden(void)
{
	const struct sockaddr_in nobodys = {.sin_family = AF_INET,
	                                    .sin_port = htons(3000),
	                                    .sin_addr.s_addr = htonl(NOBODYS_ADDRESS)};
	int fd = repair(), sequence = 0;
	socklen_t len = sizeof(sequence);

	forbid_option(IPPROTO_TCP, TCP_REPAIR_QUEUE);
	CHECK_EQ(bind(fd, (const struct sockaddr *)&nobodys, sizeof(nobodys)), -1);
	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, &len), 0);
	CHECK_EQ(sequence, SEQUENCE);
}

#define HIDDEN(name, level) LOST("option " #name " of level " #level)

static void test_hidden(void)
{
	LOGGED_CHECK("hidden", "3000", HIDDEN(4, 0), HIDDEN(32, 0), HIDDEN(2, 1), HIDDEN(12, 1),
	             HIDDEN(7, 1), HIDDEN(8, 1), HIDDEN(10, 6), HIDDEN(72, 1), LOGGED_MOVED);
	LOGGED_CHECK("absent", "3000", LOGGED_MOVED, LOGGED_MOVED, LOGGED_MOVED);
}

static void test_queue_hidden(void)
{
	const int fd = repair();

	if (fd >= 0)
		LOGGED_CHECK("queue hidden", "3000", HIDDEN(21, 6), HIDDEN(20, 6),
		             LOGGED_FAILED "bind: EADDRNOTAVAIL (error 99); control socket ");
	close(fd);
}

/* Who gets signals of the socket, and which. */
static void bind_signalling(const int *forbidden, size_t count)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(fcntl(fd, F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGURG), 0); /* which is ignored */
	CHECK_EQ(fcntl(fd, F_SETFL, O_ASYNC | O_NOATIME), 0);
	for (size_t i = 0; i < count; i++)
		forbid_with(SECCOMP_RET_ERRNO | FORBIDDEN, 0, CALL_FCNTL, (unsigned)forbidden[i]);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void case_unsignalled(void)
{
	bind_signalling((const int[]){F_SETOWN_EX, F_SETSIG, F_SETFL}, 3);
}

static void case_signals_unread(void)
{
	bind_signalling((const int[]){F_GETOWN_EX, F_GETSIG}, 2);
}

static void test_unsignalled(void)
{
	LOGGED_CHECK("unsignalled", "3000", LOST("F_SETOWN"), LOST("F_SETSIG"), LOST("O_NOATIME"),
	             LOST("O_ASYNC"), LOGGED_MOVED);
	LOGGED_CHECK("signals unread", "3000", LOST("F_SETOWN"), LOST("F_SETSIG"), LOGGED_MOVED);
}

static void case_not_shut(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN); /* which has taken effect */
	forbid(SYS_shutdown);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void test_not_shut(void)
{
	LOGGED_CHECK("not shut", "3000", LOST("shutdown for reading"), LOST("shutdown for writing"),
	             LOGGED_MOVED);
}

static void case_mode(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(fchmod(fd, 0700), 0);
	forbid(SYS_fchmod);
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

static void test_mode(void)
{
	LOGGED_CHECK("mode", "3000", LOST("mode of the socket"), LOGGED_MOVED);
}

/* One who may not give the socket away, though somebody did before. */
static void case_unowned(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(fchown(fd, OTHER_USER, OTHER_USER), 0);
	child_drop_capabilities();
	CHECK_EQ(pair_bind(fd, 3000), 0);
}

#define UNOWNED "bind of descriptor 3: not carried over: owner of the socket: "

static void test_unowned(void)
{
	const int fd = pair_socket(SOCK_STREAM);

	if (fchown(fd, OTHER_USER, OTHER_USER) == 0) /* else in a user namespace with one user */
		LOGGED_CHECK("unowned", "3000", UNOWNED "EPERM (error 1)", LOGGED_MOVED);
	close(fd);
}

static const struct logged_case cases[] = {
    {"unreachable", case_unreachable},
    {"jail", case_jail},
    {"other user", case_other_user},
    {"unreachable to user", case_unreachable_to_user},
    {"scoped", case_scoped},
    {"lost", case_lost},
    {"copies hidden", case_copies_hidden},
    {"unread", case_unread},
    {"never read", case_never_read},
    {"hidden", case_hidden},
    {"absent", case_absent},
    {"queue hidden", case_queue_hidden},
    {"full", case_full},
    {"unsignalled", case_unsignalled},
    {"signals unread", case_signals_unread},
    {"unowned", case_unowned},
    {"not shut", case_not_shut},
    {"full jail", case_full_jail},
    {"mode", case_mode},
};

int main(int argc, char **argv)
{
	logged_main(argc, argv, cases, COUNT(cases));
	RUN(test_unreachable);
	RUN(test_jail);
	RUN(test_other_user);
	RUN(test_full);
	RUN(test_unowned);
	RUN(test_scoped);
	RUN(test_stranger);
	if (!forbid_works())
		return 0;
	RUN(test_lost);
	RUN(test_copies_hidden);
	RUN(test_unread);
	RUN(test_never_read);
	RUN(test_hidden);
	RUN(test_queue_hidden);
	RUN(test_unsignalled);
	RUN(test_not_shut);
	RUN(test_mode);
	return 0;
}
