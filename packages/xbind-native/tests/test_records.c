/* SPDX-License-Identifier: MIT */
/*
 * test_records.c - the limits of the table of options that cannot be read back
 *
 * A socket with an option that did not fit does not move, and a closed socket frees its records.
 * Port 3000 and those after it are listed.
 */
#include "support/bpf.h"
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"
#include "support/thread.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define PER_SOCKET 20         /* most memberships of a socket */
#define SOCKETS    103        /* sockets with more than 2048 memberships in all */
#define GROUP      0xefb00001 /* first group; the others follow */
#define SOURCE     0x0a000001 /* first source; the other one follows */
#define LOST       300        /* more than the 256 sockets that are remembered as lost */
#define HIGH       800        /* a descriptor number that no other socket has */

#define LONG_CODE   41 /* instructions of 8 bytes: more than 320 bytes */
#define LONG_VALUES 8  /* so many fit into the table */

#define AGAIN 2100 /* times; more than there are records */
#define JOINS 1100 /* times, each followed by a leave */

/* Makes a socket with as many memberships as it may have. */
static int full_member(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	for (unsigned i = 0; i < PER_SOCKET; i++)
		CHECK_EQ(pair_join_group(fd, GROUP + i), 0);
	return fd;
}

/* Makes a socket with one membership. */
static int new_member(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_join_group(fd, GROUP), 0);
	return fd;
}

static void bind_member(int fd, uint16_t port)
{
	CHECK(pair_binds_there(fd, port));
	CHECK_FAILS(pair_join_group(fd, GROUP), EADDRINUSE);
}

/* When the table is full, a socket whose membership did not fit does not move. */
static void test_bound(void)
{
	int fds[SOCKETS], fd;

	for (int i = 0; i < SOCKETS; i++)
		fds[i] = full_member();
	pair_refused(fds[SOCKETS - 1], 3004, ENOBUFS);
	bind_member(fds[1], 3005);
	fd = new_member(); /* its records fit where those of fds[1], and later of fds[0], were */
	bind_member(fds[0], 3006);
	CHECK_EQ(pair_join_group(fd, GROUP + 1), 0);
	bind_member(fd, 3007);
	bind_member(fds[2], 3009);
	close(fd);
	for (int i = 0; i < SOCKETS; i++)
		close(fds[i]);
	fd = new_member();
	bind_member(fd, 3008);
	close(fd);
}

/* More sockets did not fit than can be remembered as such: then none moves, to be safe. */
static void test_many_lost(void)
{
	int fds[SOCKETS + LOST];

	for (int i = 0; i < SOCKETS + LOST; i++)
		fds[i] = i < SOCKETS ? full_member() : new_member();
	for (int i = SOCKETS; i < SOCKETS + LOST; i++) {
		CHECK_EQ(error_of(pair_bind(fds[i], (uint16_t)(3100 + i))),
		         pair_preloaded() ? ENOBUFS : 0);
	}
}

/* A closed socket is not counted. */
static void test_closed_not_counted(void)
{
	int fds[SOCKETS];

	for (int i = 0; i < SOCKETS; i++)
		fds[i] = full_member();
	for (int i = 0; i < LOST; i++)
		close(new_member());
	CHECK(pair_binds_there(fds[0], 3007));
}

/* A socket that is bound and stays open is not counted. */
static void test_bound_not_counted(void)
{
	for (int i = 0; i < SOCKETS; i++)
		CHECK_EQ(pair_bind(full_member(), 0), 0);
	bind_member(new_member(), 3011);
}

/* The same as for closed sockets where kcmp(2) is refused, as in a container. */
static void test_closed_without_kcmp(void)
{
	forbid(SYS_kcmp);
	test_closed_not_counted();
}

static void *be_apart(void *unused)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	close(epoll_create1(0));
	return unused;
}

/* A socket that only an ended thread with a descriptor table of its own could have is not
 * counted. */
static void test_ended_apart(void)
{
	thread_run(be_apart, NULL);
	for (int i = 0; i < AGAIN + LOST; i++)
		close(new_member());
	bind_member(new_member(), 3011);
}

static pthread_barrier_t barrier;

static void await_other(void)
{
	pthread_barrier_wait(&barrier);
}

/* Starts the thread that await_other() waits for. */
static pthread_t begin(void *(*body)(void *))
{
	pthread_t thread;

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, body, NULL), 0);
	return thread;
}

static void *stay_apart(void *unused)
{
	CHECK_EQ(unshare(CLONE_FILES), 0);
	await_other();
	await_other();
	return unused;
}

/* Closed sockets are not counted beside a thread that has a table of its own and has set no
 * option. */
static void test_beside_idle(void)
{
	pthread_t thread = begin(stay_apart);

	await_other();
	for (int i = 0; i < AGAIN + LOST; i++)
		close(new_member());
	bind_member(new_member(), 3011);
	await_other();
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int to_other_number(int fd, int number)
{
	int other = fcntl(fd, F_DUPFD, number);

	CHECK_EQ(other, number);
	close(fd);
	return other;
}

/* Fills the table with records of sockets that stay open. */
static void fill_table(void)
{
	for (int i = 0; i < SOCKETS; i++)
		full_member();
}

/* A socket with a new number is not taken for closed, whether or not its option fitted. */
static void test_renumbered(void)
{
	int member = to_other_number(new_member(), HIGH), late;

	fill_table();
	late = to_other_number(new_member(), HIGH + 1);
	new_member();
	bind_member(member, 3008);
	pair_refused(late, 3009, ENOBUFS);
}

/* Nor is one of the parent that waits for vfork(2), though the child has closed it. */
static void test_vfork_parent(void)
{
	int fd = new_member();
	pid_t child = vfork();

	if (child == 0) {
		close(fd);
		fill_table();
		_exit(0);
	}
	child_await(child);
	bind_member(fd, 3008);
}

/* Such a child may bind its own copy, which does not move that of the parent. */
static void test_bound_by_vfork_child(void)
{
	int fd = new_member();
	pid_t child = vfork();

	if (child == 0)
		_exit(pair_bind(fd, 3008) < 0);
	child_await(child);
	bind_member(fd, 3009);
}

/* Nor is one of a thread with a descriptor table of its own. */
static void *bind_apart(void *unused)
{
	int fd;

	CHECK_EQ(unshare(CLONE_FILES), 0);
	fd = to_other_number(new_member(), HIGH);
	await_other();
	await_other();
	bind_member(fd, 3008);
	return unused;
}

static void test_beside_apart(void)
{
	pthread_t thread = begin(bind_apart);

	await_other();
	fill_table();
	await_other();
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* Nor is one that only such a thread still has, whichever thread has set its option. */
static void *bind_left(void *unused)
{
	int late;

	CHECK_EQ(unshare(CLONE_FILES), 0);
	late = new_member(); /* its membership does not fit */
	await_other();
	await_other();
	close(epoll_create1(0)); /* makes the library notice this thread */
	await_other();
	await_other();
	bind_member(HIGH, 3008);
	pair_refused(HIGH + 1, 3009, ENOBUFS);
	close(HIGH + 1);
	pair_refused(late, 3010, ENOBUFS);
	return unused;
}

static void test_left_apart(void)
{
	pthread_t thread;

	to_other_number(new_member(), HIGH);
	fill_table();
	to_other_number(new_member(), HIGH + 1);
	thread = begin(bind_left);
	await_other();
	new_member();
	await_other();
	await_other();
	close(HIGH);
	close(HIGH + 1);
	new_member();
	await_other();
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* Attaches a program that is too long for a record. */
static void spread(int fd)
{
	struct sock_filter code[LONG_CODE];
	struct sock_fprog program = {.len = LONG_CODE, .filter = code};

	for (int i = 0; i < LONG_CODE; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)),
	         0);
}

/* A value that found no record takes no room for long values. */
static void test_after_long_values(void)
{
	int first = pair_socket(SOCK_DGRAM), fd;

	fill_table();
	for (int i = 0; i < LONG_VALUES; i++)
		spread(pair_socket(SOCK_DGRAM));
	syscall(SYS_close_range, first, ~0U, 0);
	fd = pair_socket(SOCK_DGRAM);
	spread(fd);
	CHECK(pair_binds_there(fd, 3010));
}

/* A long value more than these does not fit. */
static void test_beside_long_values(void)
{
	int fd;

	for (int i = 0; i < LONG_VALUES; i++)
		spread(pair_socket(SOCK_DGRAM));
	fd = pair_socket(SOCK_DGRAM);
	spread(fd);
	pair_refused(fd, 3012, ENOBUFS);
}

static void set_again(int level, int name, const void *value, socklen_t len)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	for (int i = 0; i < AGAIN; i++)
		CHECK_EQ(setsockopt(fd, level, name, value, len), 0);
	CHECK(pair_binds_there(fd, 3013));
	close(fd);
}

/* An option that replaces its earlier value has one record. */
static void test_set_again(void)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog spreading = {.len = 1, .filter = &code};
	const int program = load_program();

	set_again(IPPROTO_IP, IP_MULTICAST_IF, &(const struct in_addr){htonl(INADDR_LOOPBACK)},
	          sizeof(struct in_addr));
	set_again(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &spreading, sizeof(spreading));
	if (program < 0)
		return;
	set_again(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program));
	set_again(SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program));
}

static void change_group(int fd, int name, uint32_t source)
{
	const struct ip_mreq_source value = {.imr_multiaddr.s_addr = htonl(GROUP),
	                                     .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
	                                     .imr_sourceaddr.s_addr = htonl(source)};
	const struct ip_mreq all = {.imr_multiaddr = value.imr_multiaddr,
	                            .imr_interface = value.imr_interface};

	CHECK_EQ(source ? setsockopt(fd, IPPROTO_IP, name, &value, sizeof(value))
	                : setsockopt(fd, IPPROTO_IP, name, &all, sizeof(all)),
	         0);
}

/* Joining and leaving again takes no more records, beside another source or after an earlier
 * leave. */
static void test_join_again(void)
{
	int fd = pair_socket(SOCK_DGRAM), other = pair_socket(SOCK_DGRAM);

	change_group(fd, IP_ADD_SOURCE_MEMBERSHIP, SOURCE);
	change_group(other, IP_ADD_MEMBERSHIP, 0);
	change_group(other, IP_BLOCK_SOURCE, SOURCE);
	change_group(other, IP_DROP_MEMBERSHIP, 0);
	for (int i = 0; i < JOINS; i++) {
		change_group(fd, IP_ADD_SOURCE_MEMBERSHIP, SOURCE + 1);
		change_group(fd, IP_DROP_SOURCE_MEMBERSHIP, SOURCE + 1);
		change_group(other, IP_ADD_MEMBERSHIP, 0);
		change_group(other, IP_DROP_MEMBERSHIP, 0);
	}
	CHECK(pair_binds_there(fd, 3014));
	change_group(fd, IP_DROP_SOURCE_MEMBERSHIP, SOURCE);
	CHECK(pair_binds_there(other, 3015));
	change_group(other, IP_ADD_MEMBERSHIP, 0);
}

static void join_often(int fd, int level, int join, int leave, const void *value, socklen_t len)
{
	for (int i = 0; i < JOINS; i++) {
		CHECK_EQ(setsockopt(fd, level, join, value, len), 0);
		CHECK_EQ(setsockopt(fd, level, leave, value, len), 0);
	}
}

/* The same by the other options for memberships. */
static void test_join_otherwise(void)
{
	const struct ipv6_mreq group6 = {.ipv6mr_multiaddr.s6_addr = {0xff, 0x15, [15] = 1},
	                                 .ipv6mr_interface = 1};
	struct group_req group = {.gr_interface = 1};
	int fd = pair_socket(SOCK_DGRAM), other = socket(AF_INET6, SOCK_DGRAM, 0);

	*(struct sockaddr_in *)&group.gr_group =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(GROUP)};
	join_often(fd, IPPROTO_IP, MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP, &group, sizeof(group));
	CHECK(pair_binds_there(fd, 3016));
	if (other < 0)
		return;
	join_often(other, IPPROTO_IPV6, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, &group6, sizeof(group6));
	CHECK_EQ(pair_bind_any(other, AF_INET6, 3017), 0);
	CHECK(pair_is_there(other));
}

int main(void)
{
	RUN(test_bound);
	RUN_BY(child_run, test_many_lost);
	RUN_BY(child_run, test_closed_not_counted);
	RUN_BY(child_run, test_bound_not_counted);
	RUN_BY(child_run, test_ended_apart);
	RUN_BY(child_run, test_beside_idle);
	RUN_BY(forbid_run, test_closed_without_kcmp);
	RUN_BY(child_run, test_renumbered);
	RUN_BY(child_run, test_vfork_parent);
	if (pair_preloaded()) /* else the child binds the parent's socket, too */
		RUN_BY(child_run, test_bound_by_vfork_child);
	/* The emulator does not tell of other tables, nor does it know SO_ATTACH_REUSEPORT_CBPF. */
	if (!getenv("TEST_EMULATOR")) {
		RUN_BY(child_run, test_beside_apart);
		RUN_BY(child_run, test_left_apart);
		RUN_BY(child_run, test_after_long_values);
		RUN_BY(child_run, test_beside_long_values);
		RUN_BY(child_run, test_set_again);
		RUN_BY(child_run, test_join_again);
		RUN_BY(child_run, test_join_otherwise);
	}
	return 0;
}
