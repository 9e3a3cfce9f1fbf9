/* SPDX-License-Identifier: MIT */
/*
 * epollset.c - which epoll sets there are, and what is in them
 *
 * How it works: a bit for each descriptor number says "there is, or was, an epoll set". Numbers
 * come from epoll_create(2), from epoll_ctl(2) (sets that came over exec or a UNIX socket) and from
 * a scan of the open descriptors when the library is loaded. A wrong bit costs a few system calls
 * at the next bind, which clears it, and another scan; so close(2) and dup(2) need no hooks. It is
 * not cleared while others share this memory but have another descriptor table, in which it may be
 * right.
 *
 * The kernel is asked what is in a set: kcmp(2) tells whether the socket is there, /proc with which
 * events and data. The records of epoll_ctl(2) calls (epollrecord.h) count only where /proc cannot
 * be read, since they lack what was registered past the library.
 *
 * The bits and records are atomics without a lock, so that a signal handler or the child of a
 * threaded process never waits for anybody.
 */
#include "xbind/epollset.h"

#include "core/fd.h"
#include "xbind/epollrecord.h"
#include "xbind/fdtable.h"
#include "xbind/log.h"
#include "xbind/procfs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>

#define FOLLOWED_FDS  (1 << 20) /* descriptor numbers; the kernel's default for nr_open */
#define WORD_BITS     32
#define INHERITED_FDS 1024 /* numbers tried where /proc does not list them */

static _Atomic uint32_t known[FOLLOWED_FDS / WORD_BITS];
static _Atomic int known_end; /* one more than the highest number that was ever known */
/* Counts sets that have left their number, perhaps for another one. It starts at 1 for inherited
 * sets. */
static _Atomic unsigned lost = 1;
static _Atomic unsigned looked; /* what lost was when the last finished scan began */

static uint32_t bit_of(int set)
{
	return UINT32_C(1) << (unsigned)set % WORD_BITS;
}

static bool is_known(int set)
{
	return atomic_load_explicit(&known[set / WORD_BITS], memory_order_relaxed) & bit_of(set);
}

/* fdtable_note() first: a thread that clears the bit asks after that whether tables differ. */
static void remember(int set)
{
	int end = atomic_load_explicit(&known_end, memory_order_relaxed);

	fdtable_note();
	atomic_fetch_or(&known[set / WORD_BITS], bit_of(set));
	while (end <= set && !atomic_compare_exchange_weak(&known_end, &end, set + 1))
		;
}

void epollset_know(int set)
{
	if (set < FOLLOWED_FDS && !is_known(set))
		remember(set);
}

void epollset_new(int set)
{
	if (set < FOLLOWED_FDS) {
		lost += is_known(set); /* the one that had the number before */
		remember(set);
	}
	epollrecord_new_set(set);
}

static void forget(int set)
{
	lost++;
	if (fdtable_has_others())
		return;
	atomic_fetch_and(&known[set / WORD_BITS], ~bit_of(set));
	if (fdtable_has_others())
		atomic_fetch_or(&known[set / WORD_BITS], bit_of(set));
	lost++; /* again: a scan in between has missed a new set of this number */
}

/* The next known set from a number on, -1 after the last. */
static int next_known(int set)
{
	int end = atomic_load(&known_end);

	while (set < end) {
		uint32_t word = atomic_load(&known[set / WORD_BITS]) >> (unsigned)set % WORD_BITS;

		if (word)
			return set + __builtin_ctz(word);
		set += WORD_BITS - set % WORD_BITS;
	}
	return -1;
}

/*
 * EPOLL_CTL_DEL of what is not registered fails with ENOENT in an epoll set and EINVAL elsewhere.
 * Without a descriptor to try it with, any number may be a set: detaching will find out.
 */
static bool may_be_set(int fd, int probe)
{
	return probe < 0 || sys_epoll_ctl(fd, EPOLL_CTL_DEL, probe, NULL) == -ENOENT;
}

static bool look_at(int fd, int probe)
{
	if (may_be_set(fd, probe))
		epollset_know(fd);
	return false;
}

void epollset_load(void)
{
	CLEANUP_CLOSE int probe = sys_epoll_create1(EPOLL_CLOEXEC);
	const unsigned before = lost;

	if (procfs_each_fd(look_at, probe) < 0) {
		for (int fd = 0; fd < INHERITED_FDS; fd++)
			look_at(fd, probe);
	}
	looked = before; /* not earlier: until the scan is over, others have to scan themselves */
}

/* Does the error say that the socket is not in the set, or that the set is closed by now? */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -EBADF || error == -EINVAL;
}

/*
 * May the open file of fd be registered under this number? Return: 1, 0, or -errno when kcmp(2) is
 * refused. It is 1 also when kcmp(2) finds another file that is registered under the number, since
 * ours may come after it. Asking kcmp(2) for the second one is no way: the first may vanish
 * meanwhile, when a forked child that holds it ends, and the second is then the first. Nor is
 * epoll_ctl(2): a call that changes nothing tells nothing, and one that changes something could
 * wake a waiting thread.
 */
static int ask_kcmp(int set, int fd)
{
	int rc = sys_kcmp_epoll(set, fd);

	if (rc == -EBADF)
		forget(set);
	if (rc == -EBADF || rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : 1;
}

/*
 * The same, and 0 where the number is no epoll set. kcmp(2) says EINVAL then, and so may a filter
 * that refuses it. By any other refusal it is not forgotten, since it may be a set in the
 * descriptor table of another thread.
 */
static int holds(int set, int fd)
{
	const int rc = ask_kcmp(set, fd);
	CLEANUP_CLOSE int probe = -1;

	if (rc >= 0)
		return rc;
	probe = sys_epoll_create1(EPOLL_CLOEXEC);
	if (may_be_set(set, probe))
		return rc;
	if (rc == -EINVAL)
		forget(set);
	else
		lost++;
	return 0;
}

/* Return: 0, -ESRCH when it is not in the set, else the error that hides it. */
static int look_up(int set, int fd, uint64_t inode, struct epoll_event *ret)
{
	int held = holds(set, fd);
	int rc = held == 0 ? -ESRCH : procfs_registration(set, fd, inode, ret);

	if (rc == 0 || rc == -ESRCH) /* a record that says otherwise is too old */
		return rc;
	if (epollrecord_find(set, fd, ret))
		return 0;
	return held > 0 ? rc : -ESRCH; /* neither held nor on record, as far as can be known */
}

/*
 * Return: 0 also when it is not in the set after all, -ENOBUFS when there is no room, -EMFILE,
 * -ENFILE or -ENOMEM when no descriptor or memory is left to ask /proc with, -errno when
 * epoll_ctl(2) is refused, as a seccomp filter may.
 */
static int detach_from(int set, int fd, uint64_t inode, struct epollset_move *move)
{
	struct epoll_event found;
	int rc = look_up(set, fd, inode, &found);

	if (rc == -ESRCH)
		return 0;
	if (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		log_lost(fd, "registration in an epoll set, for want of /proc", rc);
		return 0;
	}
	if (move->count == EPOLLSET_MOVE_MAX)
		return -ENOBUFS;
	rc = sys_epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
	if (rc < 0)
		return is_gone(rc) ? 0 : rc;
	move->entries[move->count].set = set;
	move->entries[move->count].event = found;
	move->count++;
	return 0;
}

static int detach_from_known(int fd, uint64_t inode, struct epollset_move *ret)
{
	for (int set = next_known(0); set >= 0; set = next_known(set + 1)) {
		int rc = detach_from(set, fd, inode, ret);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int epollset_detach(int fd, socket_key key, uint64_t inode, struct epollset_move *ret)
{
	/* A scan that ends later may find sets with numbers that we have passed already. */
	const unsigned before = looked;
	int rc;

	ret->key = key;
	ret->count = 0;
	rc = detach_from_known(fd, inode, ret);
	if (rc < 0 || lost == before)
		return rc;
	epollset_load(); /* a set may live on as a copy that was made by dup(2) */
	return detach_from_known(fd, inode, ret);
}

/*
 * An EPOLLONESHOT that has fired is disabled until it is armed again. No socket can be registered
 * in that state: the kernel arms every new registration for EPOLLERR and EPOLLHUP at least, and a
 * stream socket that does not listen yet reports EPOLLHUP. So it is PARKED until the program arms
 * it.
 */
static bool has_fired(uint32_t events)
{
	const uint32_t flags = EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE;

	return events & EPOLLONESHOT && !(events & ~flags);
}

/* Undoes what was just done. It cannot hit a registration of others: those wait for the swap to
 * end. */
static void detach_other(int fd, const struct epollset_move *move)
{
	for (size_t i = 0; i < move->count; i++) {
		epollrecord_unpark(move->entries[i].set, fd);
		sys_epoll_ctl(move->entries[i].set, EPOLL_CTL_DEL, fd, NULL);
	}
}

/* Not where getsockopt(2) is refused by now, since nothing tells then. */
static bool is_other(int fd, int same)
{
	const socket_key key = key_of(fd), expected = key_of(same);

	return expected != KEY_NONE && key != expected;
}

void epollset_attach(int fd, int same, const struct epollset_move *move)
{
	epollrecord_follow(fd, move->key);
	for (size_t i = 0; i < move->count; i++) {
		struct epoll_event event = move->entries[i].event;
		int set = move->entries[i].set;

		if (has_fired(event.events) && epollrecord_park(set, fd))
			continue;
		log_lost(fd, "registration in an epoll set",
		         sys_epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	}
	if (move->count > 0 && is_other(fd, same))
		detach_other(fd, move);
}
