/* SPDX-License-Identifier: MIT */
/*
 * test_stopped_options.c - options that other threads set while one is stopped inside bind
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/thread.h"
#include "support/watched.h"

#include <fcntl.h>

#ifdef SYS_mmap2
#define CALL_MMAP SYS_mmap2
#else
#define CALL_MMAP SYS_mmap
#endif

#define GROUP       0xef010203U /* 239.1.2.3 */
#define LONG_FILTER 65          /* instructions; too many for the stack */

static int beside; /* socket of another thread */

static void *bind_beside(void *unused)
{
	CHECK_EQ(pair_bind(beside, 3702), 0);
	return unused;
}

static void run_beside(void)
{
	thread_run(bind_beside, NULL);
}

/* While the kernel is slow to join a group again, another thread can bind its own socket. */
static void test_slow_group(void)
{
	watched.fd = pair_socket(SOCK_DGRAM);
	beside = pair_socket(SOCK_DGRAM);
	CHECK_EQ(pair_join_group(watched.fd, GROUP), 0);
	run_watched_or_after(bind_watched, SYS_setsockopt, IPPROTO_IP, run_beside);
}

/* Attaches by a call that the library does not see. All but the last instruction load 0. */
static void attach_filter(unsigned short count)
{
	struct sock_filter code[LONG_FILTER + 1] = {{0}};
	const struct sock_fprog program = {count, code};

	code[count - 1] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, 0xffff};
	CHECK_EQ(syscall(SYS_setsockopt, watched.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
	                 sizeof(program)),
	         0);
}

static void attach_longer(void)
{
	attach_filter(LONG_FILTER + 1);
}

/* A longer filter is attached after the library has begun to read the old one. */
static void test_filtered_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	attach_filter(LONG_FILTER);
	run_watched_or_after(bind_watched, CALL_MMAP, BPF_MAXINSNS * sizeof(struct sock_filter),
	                     attach_longer);
}

static int restricted; /* result of setsockopt: 0 or errno */

static void restrict_watched(void)
{
	restricted = error_of(pair_set(watched.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

static bool is_restricted(void)
{
	return pair_option(watched.fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

static void bind_watched6(void)
{
	CHECK_EQ(pair_bind_any(watched.fd, AF_INET6, 3703), 0);
}

static void restrict_meanwhile(long call, unsigned argument)
{
	watched.fd = socket(AF_INET6, SOCK_STREAM, 0);
	run_watched_beside(bind_watched6, call, argument, restrict_watched, is_restricted);
}

/* An option that can be set only before bind fails with EINVAL once the new socket is bound. */
static void test_restricted_meanwhile(void)
{
	restrict_meanwhile(CALL_FCNTL, F_GETFD);
	CHECK_EQ(is_restricted(), 0);
	CHECK_EQ(restricted, EINVAL);
}

/* It succeeds before the new socket exists, which then gets it like any other option. */
static void test_restricted_before(void)
{
	restrict_meanwhile(SYS_socket, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK_EQ(is_restricted(), pair_preloaded());
	CHECK_EQ(restricted, pair_preloaded() ? 0 : EINVAL);
}

int main(void)
{
	if (!forbid_works())
		test_skip("the emulator's own calls would be filtered");
	RUN_BY(child_run, test_slow_group);
	RUN_BY(child_run, test_filtered_meanwhile);
	test_needs_ipv6();
	RUN_BY(child_run, test_restricted_meanwhile);
	RUN_BY(child_run, test_restricted_before);
	return 0;
}
