/* SPDX-License-Identifier: MIT */
/*
 * test_stopped.c - what other threads do while one is stopped in a certain call of a bind
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/pair.h"
#include "support/thread.h"
#include "support/watched.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#ifdef SYS_mmap2
#define CALL_MMAP SYS_mmap2
#else
#define CALL_MMAP SYS_mmap
#endif

#define GROUP       0xef010203U /* an address */
#define LONG_FILTER 65          /* instructions: no room for it on the stack */
#define HALTED_MS   3000 /* milliseconds; how long a signal handler waits for another thread */

static uint16_t port = 3700;

static void bind_watched(void)
{
	CHECK_EQ(pair_bind(watched.fd, port), 0);
}

static void make_watched(void)
{
	watched.set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_STREAM);
}

/* Puts another file in the socket's place, which can be read from. */
static void put_another(void)
{
	int another = eventfd(1, EFD_CLOEXEC);

	CHECK_EQ(dup2(another, watched.fd), watched.fd);
	close(another);
}

/* The same once the socket is out of its set, when it is looked at for the last time. */
static void do_late(void (*act)(void))
{
	struct epoll_event event = {.events = EPOLLIN};

	watched.is_early =
	    syscall(SYS_epoll_ctl, watched.set, EPOLL_CTL_MOD, watched.fd, &event) == 0;
	if (!watched.is_early)
		act();
}

static void put_another_late(void)
{
	do_late(put_another);
}

/*
 * What another thread opens where it has closed the socket in the middle of bind stays there, and
 * gets into no epoll set.
 */
static void close_meanwhile(long call, unsigned argument, void (*act)(void))
{
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t count;

	make_watched();
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	run_watched(bind_watched, call, argument, act);
	if (!pair_preloaded())
		return;
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 0);
	CHECK_EQ(read(watched.fd, &count, sizeof(count)), (ssize_t)sizeof(count));
}

static void test_closed_meanwhile(void)
{
	close_meanwhile(CALL_FCNTL, F_GETFD, put_another);
}

static void test_closed_last(void)
{
	close_meanwhile(SYS_getsockopt, IPPROTO_IP, put_another_late);
}

static void close_watched(void)
{
	CHECK_EQ(close(watched.fd), 0);
}

static void close_late(void)
{
	do_late(close_watched);
}

/* A number that is closed as late stays closed. */
static void test_closed_for_good(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	make_watched();
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	run_watched(bind_watched, SYS_getsockopt, IPPROTO_IP, close_late);
	if (!pair_preloaded())
		close_watched();
	CHECK_FAILS(fcntl(watched.fd, F_GETFD), EBADF);
}

/* The kernel binds a socket whose number is closed meanwhile, and says so. Here it is closed once
 * the new socket has what the old one had, before it is bound. */
static void bind_meanwhile(void (*act)(void))
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_watched, SHUT_RD, act);
}

static void test_closed_before(void)
{
	bind_meanwhile(close_watched);
}

/* The same while the server makes the new one. */
static void test_closed_while_asking(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_watched, SHUT_WR, close_watched);
}

/* The same while its flags are read. */
static void test_closed_at_exchange(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched(bind_watched, CALL_FCNTL, F_GETFD, close_watched);
}

static void bind_taken(void)
{
	CHECK_FAILS(pair_bind(watched.fd, port), EADDRINUSE);
}

/* It has the port's error, too. */
static void test_closed_before_taken(void)
{
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), port), 0);
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_taken, SHUT_RD, close_watched);
}

static void bind_late(void)
{
	CHECK_EQ(pair_bind(watched.fd, port), pair_preloaded() ? -1 : 0);
	CHECK(!pair_preloaded() || errno == EINVAL);
}

static void bind_unlisted(void)
{
	CHECK_EQ(pair_bind(watched.fd, NOT_LISTED), 0);
}

/* A port that is not listed has been faster. */
static void test_bound_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_late, SHUT_RD, bind_unlisted);
	CHECK_EQ(pair_port(watched.fd), pair_preloaded() ? NOT_LISTED : port);
}

static void connect_watched(void)
{
	CHECK_EQ(pair_connect(watched.fd, NOT_LISTED), 0);
}

/* Another thread has been faster when all but the exchange itself is done. */
static void test_connected_meanwhile(void)
{
	struct epoll_event event = {.events = EPOLLOUT};
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	watched.set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_DGRAM);
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	run_watched(bind_late, CALL_FCNTL, F_GETFD, connect_watched);
	CHECK_EQ(getpeername(watched.fd, (struct sockaddr *)&peer, &len),
	         pair_preloaded() ? 0 : -1);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

static int descriptors; /* before bind */

static void bind_counted(void)
{
	descriptors = test_open_fds();
	bind_watched();
}

static void count_descriptors(void)
{
	CHECK_EQ(test_open_fds(), descriptors);
}

static void fork_beside(void)
{
	child_run(count_descriptors);
}

/* A child that another thread forks has none of the library's descriptors. */
static void fork_meanwhile(int how)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched_move(bind_counted, how, fork_beside);
}

/* The connection is shut down for writing once the server is asked. */
static void test_forked_while_asking(void)
{
	fork_meanwhile(SHUT_WR);
}

static void test_forked_before_bind(void)
{
	fork_meanwhile(SHUT_RD);
}

/* Behind chroot(2) the new socket is there before the old one's options are looked at. The server
 * may have its copy for a while. */
static void test_forked_behind_chroot(void)
{
	CHECK_EQ(pair_bind(pair_socket(SOCK_STREAM), 3701), 0); /* no default is to be asked for */
	watched.fd = pair_socket(SOCK_STREAM);
	CHECK_EQ(chroot("/"), 0);
	port = 3704;
	run_watched(bind_counted, SYS_getsockopt, IPPROTO_TCP, fork_beside);
}

static int renumbered;

static void renumber_watched(void)
{
	renumbered = dup(watched.fd);
	close_watched();
}

/* It is bound under the number that it has by then. */
static void test_renumbered_meanwhile(void)
{
	bind_meanwhile(renumber_watched);
	if (!pair_preloaded())
		renumber_watched();
	CHECK_EQ(pair_port(renumbered), 3700);
	CHECK(pair_is_there(renumbered));
}

#define TTL 77

/* A socket of another kind has the number from then on. */
static void give_number_away(void)
{
	const int another = pair_socket(SOCK_DGRAM);

	renumbered = dup(watched.fd);
	CHECK_EQ(dup2(another, watched.fd), watched.fd);
	close(another);
}

/* The same at one call, and at the next one the socket gets yet another number. */
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
	const int fd = pair_socket(SOCK_STREAM), one = 1;

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	return fd;
}

/* The socket is bound, with what is its own, and the other one stays as it is. */
static void give_away_meanwhile(long call, unsigned argument, void (*act)(void))
{
	const int ttl = TTL;
	struct stat status;

	CHECK_EQ(pair_bind(shared_socket(), port), 0);
	watched.fd = shared_socket();
	CHECK_EQ(setsockopt(watched.fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	CHECK_EQ(fchmod(watched.fd, S_IRWXU), 0);
	run_watched(bind_watched, call, argument, act);
	if (!pair_preloaded())
		act();
	CHECK_EQ(pair_port(renumbered), 3700);
	CHECK(pair_is_there(renumbered));
	CHECK_EQ(pair_option(renumbered, IPPROTO_IP, IP_TTL), TTL);
	CHECK_EQ(fstat(renumbered, &status), 0);
	CHECK_EQ(status.st_mode, S_IFSOCK | S_IRWXU);
	CHECK_EQ(pair_port(watched.fd), 0);
	CHECK_EQ(pair_option(watched.fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
}

/* While the server makes the new one. */
static void test_given_away_while_asking(void)
{
	give_away_meanwhile(SYS_shutdown, SHUT_WR, give_number_away);
}

/* When the library knows what kind of socket it is and has asked for nothing yet. */
static void test_given_away_before(void)
{
	give_away_meanwhile(SYS_rt_sigaction, 0, give_number_away);
}

/* When all but the exchange itself is done. */
static void test_given_away_late(void)
{
	give_away_meanwhile(CALL_FCNTL, F_GETFD, give_number_away_twice);
}

static void bind_elsewhere(void)
{
	give_number_away();
	if (pair_preloaded())
		CHECK_EQ(pair_bind(renumbered, NOT_LISTED), 0);
}

/* The socket is bound by another thread under its new number: what has the old one is not. */
static void test_given_away_bound(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched(bind_late, SYS_shutdown, SHUT_WR, bind_elsewhere);
	if (!pair_preloaded())
		bind_elsewhere();
	CHECK_EQ(pair_port(watched.fd), 0);
	CHECK_EQ(pair_port(renumbered), pair_preloaded() ? NOT_LISTED : port);
}

#define LOOKED_AT_FDS 64 /* numbers */

static int other_set;

static bool is_port_open(void)
{
	for (int fd = 0; fd < LOOKED_AT_FDS; fd++) {
		struct sockaddr_in name = {0};
		socklen_t len = sizeof(name);

		if (getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
		    name.sin_family == AF_INET && ntohs(name.sin_port) == port)
			return true;
	}
	return false;
}

/* Another socket takes the number once the new one is bound, and is registered at once, by a call
 * that does not wait for the thread that is stopped. */
static void register_another_late(void)
{
	struct epoll_event event = {.events = EPOLLOUT};
	const int another = pair_socket(SOCK_DGRAM);

	watched.is_early = pair_preloaded() && !is_port_open();
	if (!watched.is_early) {
		CHECK_EQ(dup2(another, watched.fd), watched.fd);
		CHECK_EQ(syscall(SYS_epoll_ctl, other_set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	}
	close(another);
}

/* It stays in its set. */
static void test_registered_in_place(void)
{
	struct epoll_event event;

	other_set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_DGRAM);
	run_watched(bind_watched, SYS_getsockopt, IPPROTO_IP, register_another_late);
	if (!pair_preloaded())
		register_another_late();
	CHECK_EQ(epoll_wait(other_set, &event, 1, 0), 1);
}

static void bind_without_stderr(void)
{
	close(STDERR_FILENO);
	bind_watched();
}

static int is_stderr_open; /* what is seen without it cannot be said at once */

static void look_for_stderr(void)
{
	is_stderr_open = fcntl(STDERR_FILENO, F_GETFD) >= 0;
}

static void run_beside_log(void (*body)(void), long call, unsigned argument)
{
	int saved = dup(STDERR_FILENO);

	run_watched(body, call, argument, look_for_stderr);
	CHECK_EQ(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	CHECK(!is_stderr_open);
}

static void bind_beside_log(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	run_beside_log(bind_without_stderr, CALL_FCNTL, F_GETFD);
}

static void set_without_stderr(void)
{
	const int one = 1;

	close(STDERR_FILENO);
	CHECK_EQ(setsockopt(watched.fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), 0);
}

/* The first time an option is set, a fresh socket is asked for it. */
static void set_beside_log(void)
{
	watched.fd = socket(AF_INET6, SOCK_STREAM, 0);
	run_beside_log(set_without_stderr, SYS_getsockopt, IPPROTO_IPV6);
}

/* What another thread writes to its standard error, which is closed, goes nowhere. */
static void test_written_meanwhile(void)
{
	child_run(bind_beside_log);
	child_run(set_beside_log);
}

/* Another thread does so. */
static struct {
	pthread_t thread;
	_Atomic int tid, is_over;
	int operation;
	uint32_t events;
} control;

static void *run_control(void *unused)
{
	struct epoll_event event = {.events = control.events};

	control.tid = (int)syscall(SYS_gettid);
	CHECK_EQ(epoll_ctl(watched.set, control.operation, watched.fd, &event), 0);
	control.is_over = 1;
	return unused;
}

/* Does that thread have something to do, as opposed to one that waits for the bind, or is over? */
static bool control_runs(void)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", control.tid);
	stat = fopen(path, "re");
	if (!stat)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(stat);
	return state == 'R' || state == 'D';
}

/*
 * The kernel has done it when the socket, which does not listen, hangs up; the library has it on
 * record when the thread waits.
 */
static void start_control(void)
{
	struct epoll_event event;

	CHECK_EQ(pthread_create(&control.thread, NULL, run_control, NULL), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, -1), 1);
	while (control_runs())
		poll(NULL, 0, 1);
}

/* Not until it is done: it may have to wait for the thread that is stopped. */
static void start_beside(void)
{
	CHECK_EQ(pthread_create(&control.thread, NULL, run_control, NULL), 0);
	while (!control.tid || control_runs())
		poll(NULL, 0, 1);
}

/* While the socket is bound, by a thread that is stopped in that call. */
static void run_controlled(int operation, uint32_t events, void (*start)(void), long call,
                           unsigned argument)
{
	control.operation = operation;
	control.events = events;
	run_watched(bind_watched, call, argument, start);
	if (!pair_preloaded())
		start();
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
}

/* An EPOLLONESHOT that has fired is armed when the library has looked and seen that it has. */
static void test_armed_meanwhile(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};

	make_watched();
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
	run_controlled(EPOLL_CTL_MOD, EPOLLIN, start_beside, SYS_epoll_ctl, EPOLL_CTL_DEL);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

/* An EPOLLONESHOT that is registered while the socket is bound fires once. */
static void test_fired_meanwhile(void)
{
	struct epoll_event event;

	make_watched();
	run_controlled(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, start_control, SYS_shutdown, SHUT_WR);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 0);
	event = (struct epoll_event){.events = EPOLLIN};
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_MOD, watched.fd, &event), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

static void arm_watched(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};

	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_MOD, watched.fd, &event), 0);
}

/* An EPOLLONESHOT that fired before its socket moved is armed, and meanwhile something is done. */
static void arm_fired(void (*arm)(void), void (*meanwhile)(void))
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};

	make_watched();
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
	bind_watched();
	run_watched(arm, SYS_epoll_ctl, EPOLL_CTL_ADD, meanwhile);
	if (!pair_preloaded())
		meanwhile();
}

static void test_armed_by_two(void)
{
	struct epoll_event event;

	control.operation = EPOLL_CTL_MOD;
	control.events = EPOLLIN;
	arm_fired(arm_watched, start_beside);
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

#ifndef __SANITIZE_THREAD__ /* which holds signals back until the call returns */
static struct {
	pthread_t thread;
	_Atomic int had_to_wait; /* 1 for no, 2 for yes; 0 until it is known */
} halted;

/* As a garbage collector stops threads, until another one has done what it was about to do. */
static void wait_for_control(int number)
{
	int steps = 0;

	(void)number;
	while (!control.is_over && steps < HALTED_MS)
		steps += poll(NULL, 0, 1) == 0;
	halted.had_to_wait = control.is_over ? 1 : 2;
}

static void arm_halted(void)
{
	halted.thread = pthread_self();
	arm_watched();
	while (!halted.had_to_wait)
		poll(NULL, 0, 1);
}

static void halt(void)
{
	if (pair_preloaded())
		CHECK_EQ(pthread_kill(halted.thread, SIGUSR1), 0);
	start_beside();
}

/* A signal handler waits for a thread that arms it, too. */
static void test_armed_behind_handler(void)
{
	struct sigaction action = {.sa_handler = wait_for_control, .sa_flags = SA_RESTART};

	halted.had_to_wait = !pair_preloaded();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	control.operation = EPOLL_CTL_MOD;
	control.events = EPOLLIN;
	arm_fired(arm_halted, halt);
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
	CHECK_EQ(halted.had_to_wait, 1);
}
#endif

static void arm_in_child(void)
{
	child_run(arm_watched);
}

/* A child has the set, too. */
static void test_armed_by_child(void)
{
	struct epoll_event event;

	arm_fired(arm_watched, arm_in_child);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

/* A socket is registered just before the new one takes its number, and a child keeps the old one,
 * which is in no set then. */
static void test_registered_at_exchange(void)
{
	struct epoll_event event;
	int ends[2];
	pid_t holder;

	make_watched();
	CHECK_EQ(pipe(ends), 0);
	holder = fork();
	if (holder == 0) {
		close(ends[1]); /* the end tells when it is over */
		_exit((int)read(ends[0], &event, 1));
	}
	run_controlled(EPOLL_CTL_ADD, EPOLLIN, start_beside, CALL_FCNTL, F_GETFD);
	CHECK_EQ(listen(watched.fd, 1), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 0);
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_DEL, watched.fd, NULL), 0);
	close(ends[1]);
	child_await(holder);
}

static void register_watched(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
}

/* A thread comes to know a set as it registers a socket in it, which meanwhile is bound. */
static void test_registered_meanwhile(void)
{
	struct epoll_event event;
	int before = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(before, 3701), 0); /* no set is to be looked for any more */
	watched.fd = pair_socket(SOCK_STREAM);
	watched.set = libc_unseen_set();
	run_watched(register_watched, SYS_kcmp, (unsigned)getpid(), bind_watched);
	if (!pair_preloaded())
		bind_watched();
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

static int beside; /* the socket of another thread */

static void *bind_beside(void *unused)
{
	CHECK_EQ(pair_bind(beside, 3702), 0);
	return unused;
}

static void run_beside(void)
{
	thread_run(bind_beside, NULL);
}

/* The kernel takes its time to let a socket into its group again, and another one is bound
 * meanwhile. */
static void test_slow_group(void)
{
	watched.fd = pair_socket(SOCK_DGRAM);
	beside = pair_socket(SOCK_DGRAM);
	CHECK_EQ(pair_join_group(watched.fd, GROUP), 0);
	run_watched(bind_watched, SYS_setsockopt, IPPROTO_IP, run_beside);
	if (!pair_preloaded())
		run_beside();
}

/* Out of the library's sight; all but the last instruction load 0. */
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

/* A filter becomes longer when the library has begun to read it. */
static void test_filtered_meanwhile(void)
{
	watched.fd = pair_socket(SOCK_STREAM);
	attach_filter(LONG_FILTER);
	run_watched(bind_watched, CALL_MMAP, BPF_MAXINSNS * sizeof(struct sock_filter),
	            attach_longer);
	if (!pair_preloaded())
		attach_longer();
}

static int restricted; /* what setsockopt gave: 0 or errno */

static void restrict_watched(void)
{
	const int one = 1;

	restricted =
	    setsockopt(watched.fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0 ? errno : 0;
}

static bool is_restricted(void)
{
	return pair_option(watched.fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

static void bind_watched6(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(3703)};

	CHECK_EQ(bind(watched.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void restrict_meanwhile(long call, unsigned argument)
{
	watched.fd = socket(AF_INET6, SOCK_STREAM, 0);
	run_watched_beside(bind_watched6, call, argument, restrict_watched, is_restricted);
}

/* What can be set only before bind comes too late once the new socket is bound, and says so. */
static void test_restricted_meanwhile(void)
{
	restrict_meanwhile(CALL_FCNTL, F_GETFD);
	CHECK_EQ(is_restricted(), 0);
	CHECK_EQ(restricted, EINVAL);
}

/* It is in time before the new socket is there, which then gets it with the rest. */
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
	RUN_BY(child_run, test_closed_meanwhile);
	RUN_BY(child_run, test_closed_last);
	RUN_BY(child_run, test_closed_for_good);
	RUN_BY(child_run, test_closed_before);
	RUN_BY(child_run, test_closed_while_asking);
	RUN_BY(child_run, test_closed_at_exchange);
	RUN_BY(child_run, test_closed_before_taken);
	RUN_BY(child_run, test_bound_meanwhile);
	RUN_BY(child_run, test_connected_meanwhile);
	RUN_BY(child_run, test_forked_while_asking);
	RUN_BY(child_run, test_forked_before_bind);
	RUN_BY(child_run, test_forked_behind_chroot);
	RUN_BY(child_run, test_renumbered_meanwhile);
	RUN_BY(child_run, test_given_away_while_asking);
	RUN_BY(child_run, test_given_away_before);
	RUN_BY(child_run, test_given_away_late);
	RUN_BY(child_run, test_given_away_bound);
	RUN_BY(child_run, test_registered_in_place);
	RUN_BY(child_run, test_armed_meanwhile);
	RUN_BY(child_run, test_fired_meanwhile);
	RUN_BY(child_run, test_armed_by_two);
#ifndef __SANITIZE_THREAD__
	RUN_BY(child_run, test_armed_behind_handler);
#endif
	RUN_BY(child_run, test_armed_by_child);
	RUN_BY(child_run, test_registered_at_exchange);
	RUN_BY(child_run, test_registered_meanwhile);
	RUN_BY(child_run, test_slow_group);
	RUN_BY(child_run, test_filtered_meanwhile);
	test_needs_ipv6();
	RUN_BY(child_run, test_restricted_meanwhile);
	RUN_BY(child_run, test_restricted_before);
	RUN(test_written_meanwhile);
	return 0;
}
