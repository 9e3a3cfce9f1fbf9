/* SPDX-License-Identifier: MIT */
/*
 * copies.c - finding copies, and first of all whether there is one
 *
 * How it works: an epoll set holds no reference to a socket. Once the socket has lost its number, a
 * set that it was registered in still reports it if and only if somebody else holds it: another
 * number of this process, another process, or a message on its way. Only then is it worth asking
 * every number for its key.
 */
#include "xbind/copies.h"

#include "core/fd.h"
#include "xbind/claim.h"
#include "xbind/epollset.h"
#include "xbind/fdtable.h"
#include "xbind/log.h"
#include "xbind/renumber.h"

#include <fcntl.h>
#include <sys/epoll.h>

int copies_watch(int fd)
{
	/* An unconnected socket is writable, unless its send buffer is full. */
	struct epoll_event event = {.events = EPOLLOUT};
	CLEANUP_CLOSE int watch = fd_beyond_standard(sys_epoll_create1(EPOLL_CLOEXEC));

	if (sys_epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) == 0 &&
	    sys_epoll_wait(watch, &event, 1, 0) > 0)
		return take_fd(&watch);
	return -1;
}

bool copies_exist_consume(int watch)
{
	CLEANUP_CLOSE const int set = watch;
	struct epoll_event event;

	/* Without a watch (no descriptor was left, or the socket was not writable) this fails, and
	 * there may be copies. */
	return sys_epoll_wait(set, &event, 1, 0) != 0;
}

/*
 * Return: whether there may be more. The copy follows even where not all of its registrations can:
 * one that stays would be another socket, without the port.
 */
static bool replace(socket_key old, uint64_t inode, int copy, int fd)
{
	const struct lock_turn turn = claim_number(copy);
	struct epollset_move move;
	const int detached = epollset_detach(copy, old, inode, &move);
	const int flags = sys_fcntl(copy, F_GETFD, 0), watch = copies_watch(copy);
	/* Asked last, since another thread may have closed the number and reused it. */
	const int look = key_look(copy, old);
	const int rc = look == 0 ? renumber(fd, copy, flags & FD_CLOEXEC ? O_CLOEXEC : 0) : look;
	const bool are_more = copies_exist_consume(watch) || look != 0;

	if (look != KEY_E_GONE)
		epollset_attach(copy, rc == 0 ? fd : copy, &move);
	lock_leave(&turn);
	log_lost(copy, "registration in an epoll set", detached);
	log_lost(copy, "copy of the socket", rc);
	return are_more;
}

/* Starts at the socket's own number, since dup(2) usually gives one that is little higher. */
void copies_replace(socket_key old, uint64_t inode, int number, int fd)
{
	const int end = fdtable_end();

	for (int i = 0; i < end; i++) {
		const int copy = (number + i) % end;

		if (key_of(copy) == old && !replace(old, inode, copy, fd))
			return;
	}
	/* What is left is in other processes, or cannot be told. */
	log_lost(number, "copies of the socket", key_look(fd, KEY_NONE));
}
