/* SPDX-License-Identifier: MIT */
/* step_crowd.c - threads that bind at the same time; and calls that are refused from then on */
#include "differ/differ.h"
#include "support/forbid.h"
#include "support/pair.h"

#include <linux/kcmp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD 4

/* A thread with its own socket, which is registered in a set of all threads. */
struct member {
	int set;
	int number;
	int type;
	bool forks, copies, listens;
	const char *failure;
};

/* Binds in a child, which has a copy of the memory in the middle of other threads' binds. */
static bool child_binds(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

		if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0)
			_exit(1);
		if (pair_bind(fd, 0) < 0)
			_exit(2);
		_exit(port_of(fd) != 0 ? 0 : 3);
	}
	waitpid(child, &status, 0);
	return status == 0;
}

static int join(const struct member *member, int fd)
{
	return pair_join_group(fd, 0xefa00001U + (unsigned)member->number);
}

static const char *set_up(const struct member *member, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT,
	                            .data.u64 = (uint64_t)member->number};
	int ttl = 40 + member->number;

	if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) < 0 ||
	    (member->type == SOCK_DGRAM && join(member, fd) < 0))
		return "options";
	return epoll_ctl(member->set, EPOLL_CTL_ADD, fd, &event) < 0 ? "epoll_ctl" : NULL;
}

static const char *look_at(const struct member *member, int fd)
{
	struct epoll_event event = {.events = EPOLLOUT};

	if (port_of(fd) == 0)
		return "the port";
	if (option_of(fd, IPPROTO_IP, IP_TTL, -1) != 40 + member->number)
		return "the option";
	if (join(member, fd) == 0)
		return "the membership";
	return epoll_ctl(member->set, EPOLL_CTL_MOD, fd, &event) < 0 ? "the registration" : NULL;
}

static const char *take_part(const struct member *member, int fd)
{
	const char *failure = set_up(member, fd);
	int copy = member->copies ? dup(fd) : -1;

	if (!failure && (member->listens ? listen(fd, 1) : pair_bind(fd, 0)) < 0)
		failure = "bind";
	if (!failure && member->forks && !child_binds())
		failure = "the child";
	if (!failure)
		failure = look_at(member, fd);
	if (!failure && copy >= 0 && port_of(copy) != port_of(fd))
		failure = "the copy";
	epoll_ctl(member->set, EPOLL_CTL_DEL, fd, NULL);
	if (copy >= 0)
		close(copy);
	return failure;
}

static void *be_member(void *argument)
{
	struct member *member = argument;
	int fd = socket(AF_INET, member->type, 0);

	member->failure = take_part(member, fd);
	close(fd);
	return NULL;
}

/* Each thread finds its own results. */
void step_crowd(void)
{
	struct member members[CROWD];
	pthread_t threads[CROWD];
	int set = epoll_create1(EPOLL_CLOEXEC);
	const bool forks = !turn.other && one_in(2);

	say("crowd%s", forks ? " that forks" : "");
	for (int i = 0; i < CROWD; i++) {
		bool listens = one_in(4) && !sequence.partial;

		members[i] = (struct member){
		    .set = set,
		    .number = i,
		    .type = listens || one_in(2) ? SOCK_STREAM : SOCK_DGRAM,
		    .forks = forks && one_in(2),
		    .copies = one_in(3),
		    .listens = listens,
		};
	}
	for (int i = 0; i < CROWD; i++) {
		if (pthread_create(&threads[i], NULL, be_member, &members[i]) != 0)
			_exit(5);
	}
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
		say(" %s", members[i].failure ? members[i].failure : "well");
	}
	close(set);
}

/* Refuses kcmp(2) as Docker does, except the calls of this program itself. */
void step_refuse(void)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_kcmp},
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, FORBID_ARGUMENT(2)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, KCMP_FILE},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};

	say("refuse");
	forbid_filter(code, sizeof(code) / sizeof(code[0]), 0);
}
