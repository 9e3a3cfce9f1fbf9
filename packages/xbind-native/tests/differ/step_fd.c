/* SPDX-License-Identifier: MIT */
/* step_fd.c - calls that work on any descriptor */
#include "differ/differ.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define F_DUPFD_QUERY_ 1027

static int dup_onto(int fd)
{
	int to = a_fd();

	say(" onto %d", to);
	if (sequence.held)
		return -1;
	if (fd != to)
		leave_sets(to);
	before_call();
	return one_in(2) ? dup2(fd, to) : dup3(fd, to, one_in(2) ? O_CLOEXEC : 0);
}

/* Copies a descriptor with pidfd_getfd(2), as a supervisor does from another process. */
static int get_from_self(int fd)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int copy = (int)syscall(SYS_pidfd_getfd, self, fd, 0);

	close(self);
	return copy;
}

/* A number below those that the library uses for itself: xbind(7). */
static int a_number(void)
{
	static const int high[] = {63, 64, 300, 490};

	return one_in(3) ? ONE_OF(high) : (int)below(20);
}

void step_dup(void)
{
	int fd = a_fd(), way = (int)below(6), copy;

	say("dup %d way %d", fd, way);
	before_call();
	if (way == 0)
		copy = dup(fd);
	else if (way == 1)
		copy = fcntl(fd, F_DUPFD, a_number());
	else if (way == 2)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, a_number());
	else if (way == 3)
		copy = get_from_self(fd);
	else
		copy = dup_onto(fd);
	say_result(copy);
	keep(copy);
}

void step_close(void)
{
	int fd = a_fd();

	say("close %d", fd);
	if (fd >= 0)
		drop(fd);
}

void step_close_range(void)
{
	int first = a_fd(), last = a_fd();
	bool on_exec = one_in(2), apart = one_in(3);

	if (sequence.held && !on_exec)
		return;
	say("close_range %d %d %d%s", first, last, on_exec, apart ? " apart" : "");
	if (first < 3 || last < 3)
		return;
	for (int i = first; i <= last && !on_exec; i++)
		leave_sets(i);
	SAY_CALL(syscall(SYS_close_range, first, last,
	                 (on_exec ? 4 /* CLOSE_RANGE_CLOEXEC */ : 0) |
	                     (apart ? 2 /* CLOSE_RANGE_UNSHARE */ : 0)));
	for (int i = 0; i < SLOTS && !on_exec; i++) {
		if (sequence.slots[i] >= 0 && fcntl(sequence.slots[i], F_GETFD) < 0)
			sequence.slots[i] = -1;
	}
}

static const char *who(int id)
{
	return id == getpid() ? "self" : id == -getpgrp() ? "group" : id == 0 ? "nobody" : "other";
}

static int someone(void)
{
	const int ids[] = {getpid(), getpid(), -getpgrp(), 0, 9999999, -9999999};

	return ONE_OF(ids);
}

static void owner_ex(int fd, bool set)
{
	static const struct f_owner_ex types[] = {
	    {.type = F_OWNER_TID}, {.type = F_OWNER_PID}, {.type = F_OWNER_PGRP}, {.type = 3}};
	struct f_owner_ex owner = ONE_OF(types);

	owner.pid = one_in(2) ? getpid() : someone();
	SAY_CALL(fcntl(fd, set ? F_SETOWN_EX : F_GETOWN_EX, &owner));
	say(" %d %s", owner.type, who(owner.pid));
}

/* Leases, locks, and whether two numbers are one open file. Locks only of sockets: all epoll
 * sets of the machine share an inode. */
static void ask_file(int fd)
{
	static const int commands[] = {F_SETLEASE,  F_GETLEASE,  F_NOTIFY,     F_DUPFD_QUERY_,
	                               F_OFD_SETLK, F_OFD_GETLK, F_GETPIPE_SZ, F_GET_SEALS};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int command = ONE_OF(commands);

	if (!is_socket(fd))
		return;
	say(" command %d", command);
	before_call();
	if (command == F_OFD_SETLK || command == F_OFD_GETLK)
		say_result(fcntl(fd, command, &lock));
	else
		say_result(fcntl(fd, command, command == F_DUPFD_QUERY_ ? a_fd() : 0));
	say(" flock");
	SAY_CALL(flock(fd, LOCK_NB | (one_in(2) ? LOCK_EX : LOCK_UN)));
}

void step_fcntl(void)
{
	static const int flags[] = {0,
	                            O_NONBLOCK,
	                            O_ASYNC,
	                            O_ASYNC | O_NONBLOCK,
	                            O_APPEND,
	                            O_NOATIME,
	                            O_NOATIME | O_APPEND,
	                            O_DIRECT,
	                            -1,
	                            O_RDONLY};
	static const int signals[] = {0, 0, SIGIO, SIGUSR1, 37, 99, -1};
	int fd = a_fd(), way = (int)below(12), value = 0;
	long rc;

	say("fcntl %d way %d", fd, way);
	if (way == 11) {
		ask_file(fd);
		return;
	}
	if (way >= 9) {
		owner_ex(fd, way == 9);
		return;
	}
	value = way <= 1   ? ONE_OF(flags)
	        : way == 3 ? (int)below(3)
	        : way == 5 ? someone()
	        : way == 7 ? ONE_OF(signals)
	                   : 0;
	before_call();
	rc = fcntl(fd,
	           ((const int[]){F_SETFL, F_SETFL, F_GETFL, F_SETFD, F_GETFD, F_SETOWN, F_GETOWN,
	                          F_SETSIG, F_GETSIG})[way],
	           value);
	if (way == 6 && errno == UNTOUCHED) {
		say(" %s", who((int)rc));
		return;
	}
	if (way == 5)
		say(" %s", who(value));
	else
		say(" %x", (unsigned)value);
	say_result(rc);
}

void step_ioctl(void)
{
	static const unsigned long requests[] = {FIONBIO,     FIOASYNC,   FIOCLEX,   FIONCLEX,
	                                         FIOSETOWN,   FIOGETOWN,  FIONREAD,  TIOCOUTQ,
	                                         SIOCOUTQNSD, SIOCATMARK, SIOCSPGRP, SIOCGPGRP};
	int fd = a_fd(), value = (int)below(2);
	unsigned long request = ONE_OF(requests);
	bool sets_owner = request == FIOSETOWN || request == SIOCSPGRP;
	union address peer;
	socklen_t len = sizeof(peer.storage);

	/* Without a connection it reads a counter that connect(AF_UNSPEC) has left. */
	if ((request == TIOCOUTQ || request == SIOCOUTQNSD) && getpeername(fd, &peer.any, &len) < 0)
		return;

	if (sets_owner)
		value = someone();
	say("ioctl %d %lx %s", fd, request, sets_owner ? who(value) : value ? "1" : "0");
	SAY_CALL(syscall(SYS_ioctl, fd, request, &value)); /* the request is an int in musl */
	if (request == FIOGETOWN || request == SIOCGPGRP)
		say(" %s", who(value));
	else if (!sets_owner)
		say(" %d", value);
}

void show_state(int fd)
{
	struct f_owner_ex owner = {0};
	struct stat status = {0};

	fstat(fd, &status);
	if (is_set(fd))
		return;
	fcntl(fd, F_GETOWN_EX, &owner);
	say(" mode %o owner %u:%u links %d flags %x %x signal %d for %d %s", status.st_mode,
	    status.st_uid, status.st_gid, (int)status.st_nlink, (unsigned)fcntl(fd, F_GETFL),
	    (unsigned)fcntl(fd, F_GETFD), fcntl(fd, F_GETSIG), owner.type, who(owner.pid));
}

void step_stat(void)
{
	int fd = a_fd();

	say("stat %d", fd);
	show_state(fd);
}

void step_chown(void)
{
	static const unsigned ids[] = {0, 1, 33, (unsigned)-1};
	int fd = a_socket();

	if (!is_socket(fd))
		return;
	if (one_in(2)) {
		mode_t mode = (mode_t)below(010000);

		say("fchmod %d %o", fd, mode);
		SAY_CALL(fchmod(fd, mode));
	} else {
		unsigned uid = ONE_OF(ids), gid = ONE_OF(ids);

		say("fchown %d %u %u", fd, uid, gid);
		SAY_CALL(fchown(fd, uid, gid));
	}
}
