/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - many threads bind and set options at once
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#define THREADS      16
#define ROUNDS       20
#define FIRST_PORT   3100
#define CHANGES      160   /* of each thread's sockets */
#define CHANGE_STEPS 60000 /* of a loop, at most: as long as a bind takes */
#define SHARED_PORT  3200

static pthread_barrier_t barrier;
static int shared;
static _Atomic int succeeded, refused;

static void run_all(void *(*body)(void *))
{
	pthread_t threads[THREADS];
	int numbers[THREADS];

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CHECK_EQ(pthread_create(&threads[i], NULL, body, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&barrier);
}

/* Each thread has a socket and a port of its own, and options that only it has set. */
static void *bind_own(void *argument)
{
	int number = *(int *)argument;

	pthread_barrier_wait(&barrier);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_STREAM), mark = 30 + number, is = 0;
		socklen_t len = sizeof(is);

		CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_TTL, &mark, sizeof(mark)), 0);
		CHECK_EQ(pair_bind(fd, (uint16_t)(FIRST_PORT + number)), 0);
		CHECK(pair_is_there(fd));
		CHECK_EQ(getsockopt(fd, IPPROTO_IP, IP_TTL, &is, &len), 0);
		CHECK_EQ(is, mark);
		close(fd);
	}
	return NULL;
}

static void test_own_sockets(void)
{
	run_all(bind_own);
}

static void *bind_shared(void *argument)
{
	uint16_t port = (uint16_t)(SHARED_PORT + *(int *)argument);

	pthread_barrier_wait(&barrier);
	if (pair_bind(shared, port) == 0)
		atomic_fetch_add(&succeeded, 1);
	else if (errno == EINVAL)
		atomic_fetch_add(&refused, 1);
	return NULL;
}

/* One socket is bound once, to the port of one of them. */
static void test_shared_socket(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		int one = 1;

		shared = pair_socket(SOCK_STREAM);
		CHECK_EQ(setsockopt(shared, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
		succeeded = refused = 0;
		run_all(bind_shared);
		CHECK_EQ(succeeded, 1);
		CHECK_EQ(refused, THREADS - 1);
		CHECK(pair_is_there(shared));
		CHECK(pair_port(shared) >= SHARED_PORT);
		close(shared);
	}
}

/* Records of many sockets at once, each found again by its own. */
static void *join_groups(void *argument)
{
	struct ip_mreqn group = {.imr_ifindex = 1};

	group.imr_multiaddr.s_addr = htonl(0xefa00001U + (unsigned)*(int *)argument);
	pthread_barrier_wait(&barrier);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
		CHECK_EQ(pair_bind(fd, (uint16_t)(FIRST_PORT + *(int *)argument)), 0);
		CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0);
		CHECK_EQ(errno, EADDRINUSE);
		close(fd);
	}
	return NULL;
}

static void test_groups(void)
{
	run_all(join_groups);
}

/* What one thread does to a socket while another one binds it, a little later in each round. */
#define MEANWHILE_ROUNDS 200
#define MEANWHILE_PORT   3300

static struct {
	int fd, copy, set;
	useconds_t later;
	void (*act)(void);
	int bound; /* what bind gave: 0 or errno */
	_Atomic bool over;
} meanwhile;

static void *act_later(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&barrier);
	usleep(meanwhile.later);
	meanwhile.act();
	return NULL;
}

/* Binds, while the other thread acts; prepare and check may be NULL. */
static void run_meanwhile(void (*prepare)(void), void (*act)(void), void (*check)(void))
{
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 2), 0);
	for (int round = 0; round < MEANWHILE_ROUNDS; round++) {
		pthread_t thread;

		meanwhile.fd = pair_socket(SOCK_STREAM);
		meanwhile.copy = meanwhile.set = -1;
		meanwhile.later = (useconds_t)round * 2;
		meanwhile.act = act;
		meanwhile.over = false;
		if (prepare)
			prepare();
		CHECK_EQ(pthread_create(&thread, NULL, act_later, NULL), 0);
		pthread_barrier_wait(&barrier);
		meanwhile.bound = pair_bind(meanwhile.fd, MEANWHILE_PORT) < 0 ? errno : 0;
		meanwhile.over = true;
		CHECK_EQ(pthread_join(thread, NULL), 0);
		check();
		close(meanwhile.fd);
		if (meanwhile.copy >= 0)
			close(meanwhile.copy);
		if (meanwhile.set >= 0)
			close(meanwhile.set);
	}
	pthread_barrier_destroy(&barrier);
}

static void set_option(void)
{
	int one = 1;

	CHECK_EQ(setsockopt(meanwhile.fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
}

static void check_option(void)
{
	int is = 0;
	socklen_t len = sizeof(is);

	CHECK_EQ(meanwhile.bound, 0);
	CHECK_EQ(getsockopt(meanwhile.fd, SOL_SOCKET, SO_KEEPALIVE, &is, &len), 0);
	CHECK_EQ(is, 1);
}

static void register_it(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	meanwhile.set = epoll_create1(EPOLL_CLOEXEC);
	CHECK_EQ(epoll_ctl(meanwhile.set, EPOLL_CTL_ADD, meanwhile.fd, &event), 0);
}

/* Until the bind is over, which is how one meets each moment of it in the end. */
static void change_registration(void)
{
	struct epoll_event event = {.events = EPOLLOUT};

	while (!meanwhile.over)
		CHECK_EQ(epoll_ctl(meanwhile.set, EPOLL_CTL_MOD, meanwhile.fd, &event), 0);
}

static void check_registration(void)
{
	CHECK_EQ(meanwhile.bound, 0);
	CHECK_EQ(epoll_ctl(meanwhile.set, EPOLL_CTL_DEL, meanwhile.fd, NULL), 0);
}

static void copy_it(void)
{
	meanwhile.copy = dup(meanwhile.fd);
	CHECK(meanwhile.copy >= 0);
}

static _Atomic int copy_bound;

static void bind_copy(void)
{
	copy_bound = pair_bind(meanwhile.copy, MEANWHILE_PORT + 1) < 0 ? errno : 0;
}

static void check_copy(void)
{
	CHECK_EQ(meanwhile.bound ? meanwhile.bound : copy_bound, EINVAL);
	CHECK_EQ(meanwhile.bound ? copy_bound : 0, 0);
	CHECK_EQ(pair_port(meanwhile.copy), pair_port(meanwhile.fd));
}

static void test_meanwhile(void)
{
	run_meanwhile(NULL, set_option, check_option);
	run_meanwhile(register_it, change_registration, check_registration);
	run_meanwhile(NULL, register_it, check_registration);
	run_meanwhile(copy_it, bind_copy, check_copy);
}

/* What a thread does that meets a filter, which tells of one call, by its second argument. */
static struct {
	int fd, set;
	void (*body)(void);
	unsigned call, argument;
	_Atomic int listener, is_over; /* of what the filter tells */
} watched;

static void *run_filtered(void *unused)
{
	struct sock_filter code[] = {
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, watched.call},
	    {BPF_LD | BPF_W | BPF_ABS, 0, 0, FORBID_ARGUMENT(1)},
	    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, watched.argument},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
	    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	(void)unused;
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	watched.listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                                SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	CHECK(watched.listener > 0);
	watched.body();
	watched.is_over = 1;
	return NULL;
}

/* Does something in the middle of the call, if anything, and lets it go on. */
static void act_watched(void (*act)(void))
{
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	CHECK_EQ(ioctl(watched.listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
	if (act)
		act();
	answer.id = call.id;
	CHECK_EQ(ioctl(watched.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
}

/* The library makes the call, and the body itself does not. Something is done the first time. */
static void run_watched(void (*body)(void), long call, unsigned argument, void (*act)(void))
{
	pthread_t thread;
	bool told = false;

	watched.body = body;
	watched.call = (unsigned)call;
	watched.argument = argument;
	CHECK_EQ(pthread_create(&thread, NULL, run_filtered, NULL), 0);
	while (!watched.is_over) {
		struct pollfd entry = {.fd = watched.listener > 0 ? watched.listener : -1,
		                       .events = POLLIN};

		if (poll(&entry, 1, 1) == 1 && entry.revents & POLLIN) {
			act_watched(told ? NULL : act);
			told = true;
		}
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(told, pair_preloaded());
}

static void bind_watched(void)
{
	CHECK_EQ(pair_bind(watched.fd, 3700), 0);
}

static int null;

/* Puts another file in the socket's place. */
static void put_another(void)
{
	CHECK_EQ(dup2(null, watched.fd), watched.fd);
}

static void close_while_bound(void)
{
#ifdef SYS_fcntl64
	const long call = SYS_fcntl64;
#else
	const long call = SYS_fcntl;
#endif
	char byte;

	null = open("/dev/null", O_RDONLY);
	watched.fd = pair_socket(SOCK_STREAM);
	run_watched(bind_watched, call, F_GETFD, put_another);
	if (pair_preloaded())
		CHECK_EQ(read(watched.fd, &byte, 1), 0);
}

/* What another thread opens where it has closed the socket in the middle of bind stays there. */
static void test_closed_meanwhile(void)
{
	if (!getenv("TEST_EMULATOR")) /* whose own calls would be filtered */
		child_run(close_while_bound);
}

/* Another thread does so. */
static struct {
	pthread_t thread;
	_Atomic int tid;
	int operation;
	uint32_t events;
} control;

static void *run_control(void *unused)
{
	struct epoll_event event = {.events = control.events};

	control.tid = (int)syscall(SYS_gettid);
	CHECK_EQ(epoll_ctl(watched.set, control.operation, watched.fd, &event), 0);
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

/* While the socket is bound, by a thread that is stopped in that call. */
static void run_controlled(int operation, uint32_t events, long call, unsigned argument)
{
	control.operation = operation;
	control.events = events;
	run_watched(bind_watched, call, argument, start_control);
	if (!pair_preloaded())
		start_control();
	CHECK_EQ(pthread_join(control.thread, NULL), 0);
}

static void make_watched(void)
{
	watched.set = epoll_create1(EPOLL_CLOEXEC);
	watched.fd = pair_socket(SOCK_STREAM);
}

static void arm_while_bound(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};

	make_watched();
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
	run_controlled(EPOLL_CTL_MOD, EPOLLIN, SYS_epoll_ctl, EPOLL_CTL_DEL);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

/* An EPOLLONESHOT that has fired is armed when the library has looked and seen that it has. */
static void test_armed_meanwhile(void)
{
	if (!getenv("TEST_EMULATOR"))
		child_run(arm_while_bound);
}

static void fire_while_bound(void)
{
	struct epoll_event event;

	make_watched();
	run_controlled(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, SYS_shutdown, SHUT_WR);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 0);
	event = (struct epoll_event){.events = EPOLLIN};
	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_MOD, watched.fd, &event), 0);
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

/* An EPOLLONESHOT that is registered while the socket is bound fires once. */
static void test_fired_meanwhile(void)
{
	if (!getenv("TEST_EMULATOR"))
		child_run(fire_while_bound);
}

static void register_watched(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	CHECK_EQ(epoll_ctl(watched.set, EPOLL_CTL_ADD, watched.fd, &event), 0);
}

static void bind_while_registered(void)
{
	struct epoll_event event;
	int before = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(before, 3701), 0); /* no set is to be looked for any more */
	watched.fd = pair_socket(SOCK_STREAM);
	watched.set = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	run_watched(register_watched, SYS_kcmp, (unsigned)getpid(), bind_watched);
	if (!pair_preloaded())
		bind_watched();
	CHECK_EQ(epoll_wait(watched.set, &event, 1, 0), 1);
}

/* A thread comes to know a set as it registers a socket in it, which meanwhile is bound. */
static void test_registered_meanwhile(void)
{
	if (!getenv("TEST_EMULATOR"))
		child_run(bind_while_registered);
}

static int join_group(int fd)
{
	const struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xef010203), .imr_ifindex = 1};

	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group));
}

static struct {
	pthread_t thread;
	int fd;
} beside;

static void *bind_beside(void *unused)
{
	CHECK_EQ(pair_bind(beside.fd, 3702), 0);
	return unused;
}

static void run_beside(void)
{
	CHECK_EQ(pthread_create(&beside.thread, NULL, bind_beside, NULL), 0);
	CHECK_EQ(pthread_join(beside.thread, NULL), 0);
}

static void bind_beside_member(void)
{
	watched.fd = pair_socket(SOCK_DGRAM);
	beside.fd = pair_socket(SOCK_DGRAM);
	CHECK_EQ(join_group(watched.fd), 0);
	run_watched(bind_watched, SYS_setsockopt, IPPROTO_IP, run_beside);
	if (!pair_preloaded())
		run_beside();
}

/* The kernel takes its time to let a socket into its group again, and another one is bound
 * meanwhile. */
static void test_slow_group(void)
{
	if (!getenv("TEST_EMULATOR"))
		child_run(bind_beside_member);
}

/* A socket that one thread binds, and another one changes at the same time. */
struct changed {
	pthread_barrier_t barrier;
	int number;
	int fd;
	int rc;
};

static int change(const struct changed *changed)
{
	if (changed->number % 4 == 0) /* it says ENOTCONN, and counts */
		return shutdown(changed->fd, SHUT_WR);
	return join_group(changed->fd);
}

static void *change_often(void *argument)
{
	struct changed *changed = argument;
	unsigned seed = (unsigned)changed->number;

	for (int round = 0; round < CHANGES; round++) {
		pthread_barrier_wait(&changed->barrier);
		for (volatile int i = rand_r(&seed) % CHANGE_STEPS; i > 0; i--)
			;
		changed->rc = change(changed);
		pthread_barrier_wait(&changed->barrier);
	}
	return NULL;
}

static void check_change(const struct changed *changed)
{
	struct sockaddr_in addr = pair_addr(FIRST_PORT);

	if (changed->number % 4 == 0) {
		CHECK(sendto(changed->fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&addr,
		             sizeof(addr)) < 0);
		CHECK_EQ(errno, EPIPE);
		return;
	}
	CHECK_EQ(changed->rc, 0);
	CHECK(change(changed) < 0);
	CHECK_EQ(errno, EADDRINUSE);
}

static void *bind_changed(void *argument)
{
	struct changed *changed = argument;

	for (int round = 0; round < CHANGES; round++) {
		uint16_t port = (uint16_t)(FIRST_PORT + 40 * changed->number + round % 40);

		changed->fd = pair_socket(SOCK_DGRAM);
		pthread_barrier_wait(&changed->barrier);
		CHECK_EQ(pair_bind(changed->fd, port), 0);
		pthread_barrier_wait(&changed->barrier);
		check_change(changed);
		close(changed->fd);
	}
	return NULL;
}

/* What cannot be read back is not lost between the two. */
static void test_changed_meanwhile(void)
{
	static struct changed changed[THREADS];
	pthread_t threads[THREADS][2];

	for (int i = 0; i < THREADS; i++) {
		changed[i].number = i;
		CHECK_EQ(pthread_barrier_init(&changed[i].barrier, NULL, 2), 0);
		CHECK_EQ(pthread_create(&threads[i][0], NULL, change_often, &changed[i]), 0);
		CHECK_EQ(pthread_create(&threads[i][1], NULL, bind_changed, &changed[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i][0], NULL), 0);
		CHECK_EQ(pthread_join(threads[i][1], NULL), 0);
		pthread_barrier_destroy(&changed[i].barrier);
	}
}

int main(void)
{
	RUN(test_own_sockets);
	RUN(test_shared_socket);
	RUN(test_groups);
	RUN(test_meanwhile);
	RUN(test_closed_meanwhile);
	RUN(test_armed_meanwhile);
	RUN(test_fired_meanwhile);
	RUN(test_registered_meanwhile);
	RUN(test_slow_group);
	RUN(test_changed_meanwhile);
	return 0;
}
