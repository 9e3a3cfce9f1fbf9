/* SPDX-License-Identifier: MIT */
/*
 * bind_states.c - bind of a socket that was shut down, connected or otherwise used before
 *
 * Prints the state of the socket afterwards; pair -c compares a run without the library with one
 * with it. Every port is listed.
 */
#include "support/forbid.h"
#include "support/pair.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static uint16_t port = 3000; /* each port is bound once */

static int events_of(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};

	CHECK(poll(&poller, 1, 0) >= 0);
	return poller.revents;
}

/* Binds, reads, listens, reads, and prints each result. */
static void show(const char *what, int fd)
{
	int bound = error_of(pair_bind(fd, port++)), listens, reads;
	char byte;

	reads = error_of((int)recv(fd, &byte, 1, MSG_DONTWAIT));
	printf("%s: recv %d, poll %x\n", what, reads, (unsigned)events_of(fd));
	listens = error_of(listen(fd, 1));
	reads = error_of((int)recv(fd, &byte, 1, MSG_DONTWAIT));
	printf("%s: bind %d, listen %d, recv %d, poll %x\n", what, bound, listens, reads,
	       (unsigned)events_of(fd));
	close(fd);
}

/* Can the socket it accepts, or a datagram socket itself, still send? */
static void show_sending(int fd, int type)
{
	const uint16_t own = port++;
	int peer, from;

	CHECK_EQ(pair_bind(fd, own), 0);
	peer = pair_socket(type);
	CHECK_EQ(pair_bind(peer, port++), 0);
	if (type == SOCK_STREAM) {
		CHECK_EQ(listen(fd, 1), 0);
		CHECK_EQ(pair_connect(peer, own), 0);
		from = accept(fd, NULL, NULL);
		printf("sends %d\n", error_of((int)send(from, "x", 1, MSG_NOSIGNAL)));
		close(from);
	} else {
		printf("sends %d\n", error_of(pair_send(fd, own)));
	}
	close(peer);
	close(fd);
}

static void try_shutdown(int type)
{
	const char *const names[] = {"shut for reading", "shut for writing", "shut for both"};

	for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
		int fd = pair_socket(type);

		printf("%d ", error_of(shutdown(fd, how)));
		show(names[how], fd);
		fd = pair_socket(type);
		shutdown(fd, how);
		show_sending(fd, type);
	}
}

/* connect(2) to AF_UNSPEC undoes the shutdown of a stream socket. */
static void try_reopened(void)
{
	int fd = pair_socket(SOCK_STREAM);

	printf("%d ", error_of(shutdown(fd, SHUT_RDWR)));
	CHECK_EQ(pair_disconnect(fd), 0);
	show_sending(fd, SOCK_STREAM);
}

/* It does not undo that of a datagram socket, even of one that was connected when it was shut
 * down. */
static void try_shut_connected(int how)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_connect(fd, 9), 0);
	CHECK_EQ(shutdown(fd, how), 0);
	CHECK_EQ(pair_disconnect(fd), 0);
	show_sending(fd, SOCK_DGRAM);
}

static void try_connect(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_connect(fd, 9), 0);
	printf("connected: bind %d\n", error_of(pair_bind(fd, port)));
	CHECK_EQ(pair_disconnect(fd), 0);
	show("disconnected", fd);
	fd = pair_socket(SOCK_STREAM);
	printf("refused: connect %d\n", error_of(pair_connect(fd, 9)));
	show("refused", fd);
	fd = pair_socket(SOCK_DGRAM);
	pair_send(fd, 9);
	show("sent", fd);
}

/* Return: the immediate result of connect(2). Waits for the final one, and clears it. */
static int connect_to(int fd, uint16_t to)
{
	int rc = error_of(pair_connect(fd, to));
	struct pollfd poller = {.fd = fd, .events = POLLOUT};

	CHECK_EQ(poll(&poller, 1, -1), 1);
	pair_option(fd, SOL_SOCKET, SO_ERROR);
	return rc;
}

/* A refused connection leaves a stream socket shut down, and the next connection opens it again. */
static void try_connect_again(void)
{
	int fd = pair_socket(SOCK_STREAM | SOCK_NONBLOCK), peer = pair_socket(SOCK_STREAM);
	char byte;

	CHECK_EQ(pair_bind(peer, port), 0);
	CHECK_EQ(listen(peer, 1), 0);
	connect_to(fd, 9);
	CHECK_EQ(pair_bind(fd, port + 1), 0);
	if (connect_to(fd, port) == ECONNABORTED) /* the kernel reports the first one late */
		connect_to(fd, port);
	printf("connected again: recv %d\n", error_of((int)recv(fd, &byte, 1, 0)));
	port += 2;
	close(fd);
	close(peer);
}

/* Only the address is bound, not the port: a second bind works like a first one. */
static void try_address_alone(void)
{
	int fd = pair_socket(SOCK_STREAM);

	if (pair_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) == 0)
		printf("no port: bind %d\n", error_of(pair_bind(fd, 0)));
	show("no port", fd);
}

/* listen chooses a port for the address that was bound without one. */
static void try_listen_on_address(void)
{
	int fd = pair_socket(SOCK_STREAM);
	struct sockaddr_in name = {0};
	socklen_t len = sizeof(name);

	if (pair_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) == 0)
		CHECK_EQ(pair_bind(fd, 0), 0);
	else
		CHECK_EQ(pair_bind(fd, port++), 0);
	CHECK_EQ(listen(fd, 1), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	printf("address alone: listens on %x\n", ntohl(name.sin_addr.s_addr));
	close(fd);
}

/* The kernel has enlarged the buffer; that must not lock its size. */
static void try_mptcp_buffer(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0)
		return;
	CHECK_EQ(pair_bind_any(fd, AF_UNSPEC, 0), -1); /* creates the first subflow */
	CHECK_EQ(pair_disconnect(fd), 0);
	CHECK_EQ(pair_bind_any(fd, AF_INET6, port++), 0);
	if (pair_tells_buffer_lock())
		printf("mptcp: buffers locked %d\n", pair_option(fd, SOL_SOCKET, SO_BUF_LOCK_));
	close(fd);
}

static void try_ioctl(void)
{
	int fd = pair_socket(SOCK_STREAM), on = 1, owner = getpid();

	CHECK_EQ(ioctl(fd, FIONBIO, &on), 0);
	CHECK_EQ(ioctl(fd, FIOASYNC, &on), 0);
	CHECK_EQ(ioctl(fd, SIOCSPGRP, &owner), 0);
	CHECK_EQ(pair_bind(fd, port++), 0);
	CHECK_EQ(ioctl(fd, SIOCGPGRP, &owner), 0);
	printf("ioctl: flags %x, own %d\n", (unsigned)fcntl(fd, F_GETFL), owner == getpid());
	close(fd);
}

/* Users cannot share a port, so the owner of the socket must be carried over. */
static void try_owner(void)
{
	int first = pair_socket(SOCK_DGRAM), second = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_set(first, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_EQ(pair_set(second, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_EQ(pair_bind(first, port), 0);
	printf("owner: chown %d", error_of(fchown(second, 1, 1)));
	printf(", bind %d\n", error_of(pair_bind(second, port++)));
	close(first);
	close(second);
}

/* The inode keeps its owner and mode, also after chown(2) and chmod(2). */
static void try_given(uid_t uid, gid_t gid)
{
	int fd = pair_socket(SOCK_STREAM);
	struct stat status;

	printf("given: chown %d", error_of(fchown(fd, uid, gid)));
	printf(", chmod %d", error_of(fchmod(fd, 06755)));
	CHECK(pair_binds_there(fd, port++));
	CHECK_EQ(fstat(fd, &status), 0);
	printf(", owner %d, group %d, mode %o\n", (int)status.st_uid, (int)status.st_gid,
	       status.st_mode);
	close(fd);
}

/* The flags of the descriptor, those and the owner of the open file, and the mode of the inode are
 * kept. */
static void try_file(void)
{
	struct f_owner_ex owner = {.type = F_OWNER_PGRP};
	int fd = pair_socket(SOCK_STREAM | SOCK_CLOEXEC);
	struct stat status;

	fcntl(fd, F_SETFL, O_NOATIME | O_APPEND);
	CHECK_EQ(fcntl(fd, F_SETOWN_EX, &owner), 0); /* no owner, of type group */
	CHECK_EQ(fchmod(fd, 0600), 0);
	CHECK_EQ(pair_bind(fd, port++), 0);
	CHECK_EQ(fcntl(fd, F_GETOWN_EX, &owner), 0);
	CHECK_EQ(fstat(fd, &status), 0);
	printf("file: flags %x %x, owner %d, mode %o\n", (unsigned)fcntl(fd, F_GETFD),
	       (unsigned)fcntl(fd, F_GETFL), owner.type, status.st_mode);
	close(fd);
}

int main(void)
{
	show("fresh", pair_socket(SOCK_STREAM));
	show("fresh", pair_socket(SOCK_DGRAM));
	try_shutdown(SOCK_STREAM);
	try_shutdown(SOCK_DGRAM);
	try_reopened();
	for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
		try_shut_connected(how);
	try_connect();
	if (!getenv("TEST_EMULATOR")) /* which leaves TCP_INFO empty */
		try_connect_again();
	try_address_alone();
	try_listen_on_address();
	try_mptcp_buffer();
	try_ioctl();
	try_owner();
	try_given(7, 8);
	try_given(7, (gid_t)-1);
	try_given((uid_t)-1, 8);
	try_file();
	if (forbid_works()) { /* the filter of an old container */
		forbid_by(SECCOMP_RET_ERRNO | ENOSYS, SYS_statx);
		try_given(7, 8);
	}
	return 0;
}
