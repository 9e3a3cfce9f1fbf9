/* SPDX-License-Identifier: MIT */
/* test_epoll_full.c - bind of a user who may have no more registrations in epoll sets */
#include "support/child.h"
#include "support/forbid.h"
#include "support/listener.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#define NUMBERS 1024 /* descriptors that the test can track */

/* The kernel's limit, fs.epoll.max_user_watches, is for the whole machine. So the limit here is
 * one registration, which a thread outside of the seccomp filter enforces at each call. */
static int served, registered;
static bool is_in[NUMBERS]; /* by set: is there a registration in it? */
static int listener;
static pthread_barrier_t begins;

static void put_in(uint64_t set)
{
	registered++;
	is_in[set % NUMBERS] = true;
}

static void take_out(uint64_t set)
{
	registered -= is_in[set % NUMBERS];
	is_in[set % NUMBERS] = false;
}

static int decide(const struct seccomp_data *call)
{
	const uint64_t set = call->args[0];

	if (call->nr == SYS_close)
		take_out(set);
	else if (call->args[1] == EPOLL_CTL_DEL && (int)call->args[2] == served)
		take_out(set);
	else if (call->args[1] == EPOLL_CTL_ADD && registered > 0)
		return -ENOSPC;
	else if (call->args[1] == EPOLL_CTL_ADD)
		put_in(set);
	return 0;
}

static void *supervise(void *unused)
{
	pthread_barrier_wait(&begins);
	for (;;) {
		struct seccomp_notif call = {0};
		struct seccomp_notif_resp answer = {0};

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			return unused;
		answer.id = call.id;
		answer.error = decide(&call.data);
		if (answer.error == 0)
			answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static void have_one_registration(int set)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_epoll_ctl},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_close},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};
	pthread_t thread;

	put_in((uint64_t)set);
	CHECK_EQ(pthread_barrier_init(&begins, NULL, 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, supervise, NULL), 0);
	listener = forbid_filter(code, COUNT(code), SECCOMP_FILTER_FLAG_NEW_LISTENER);
	pthread_barrier_wait(&begins);
}

/* The library needs no room but that of the registration which it has removed. */
static void test_no_room(void)
{
	int set = new_set(), other = pair_socket(SOCK_DGRAM);

	served = pair_socket(SOCK_DGRAM);
	CHECK_EQ(control(set, EPOLL_CTL_ADD, served, EPOLLOUT, DATA), 0);
	have_one_registration(set);
	CHECK_FAILS(control(set, EPOLL_CTL_ADD, other, EPOLLOUT, 1), ENOSPC);
	CHECK(pair_binds_there(served, SERVER_PORT));
	check_event(set, EPOLLOUT, DATA);
	syscall(SYS_exit_group, 0); /* TSan reports lost threads */
}

int main(void)
{
	if (!forbid_works())
		test_skip("the emulator's own calls would be filtered");
	RUN_BY(child_run, test_no_room);
	return 0;
}
