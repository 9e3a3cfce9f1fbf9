/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - many threads bind sockets and set options at once
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/pair.h"
#include "support/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#define THREADS      THREADS_MAX
#define ROUNDS       20
#define FIRST_PORT   3100
#define CHANGES      160   /* sockets of each thread */
#define CHANGE_STEPS 60000 /* loop steps, at most; as long as a bind takes */
#define SHARED_PORT  3200
#define GROUP        0xef010203U /* 239.1.2.3 */

static pthread_barrier_t barrier;
static int shared;
static _Atomic int succeeded, refused;

static void run_all(void *(*body)(void *))
{
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	thread_run_all(body, THREADS);
	pthread_barrier_destroy(&barrier);
}

/* Each thread has its own socket and port, and options of both sorts: those that are read, and
 * those that are recorded. */
static void *bind_own(void *argument)
{
	const int number = (int)(uintptr_t)argument, mark = 30 + number;
	const uint32_t group = 0xefa00001U + (unsigned)number;

	pthread_barrier_wait(&barrier);
	for (int round = 0; round < ROUNDS; round++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_EQ(pair_set(fd, IPPROTO_IP, IP_TTL, mark), 0);
		CHECK_EQ(pair_join_group(fd, group), 0);
		CHECK(pair_binds_there(fd, (uint16_t)(FIRST_PORT + number)));
		CHECK_EQ(pair_option(fd, IPPROTO_IP, IP_TTL), mark);
		CHECK_FAILS(pair_join_group(fd, group), EADDRINUSE);
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
	uint16_t port = (uint16_t)(SHARED_PORT + (uintptr_t)argument);

	pthread_barrier_wait(&barrier);
	if (pair_bind(shared, port) == 0)
		atomic_fetch_add(&succeeded, 1);
	else if (errno == EINVAL)
		atomic_fetch_add(&refused, 1);
	return NULL;
}

/* Several threads bind one socket: one succeeds, and the socket has its port. */
static void test_shared_socket(void)
{
	for (int round = 0; round < ROUNDS; round++) {

		shared = pair_socket(SOCK_STREAM);
		CHECK_EQ(pair_set(shared, SOL_SOCKET, SO_REUSEPORT, 1), 0);
		succeeded = refused = 0;
		run_all(bind_shared);
		CHECK_EQ(succeeded, 1);
		CHECK_EQ(refused, THREADS - 1);
		CHECK(pair_is_there(shared));
		CHECK(pair_port(shared) >= SHARED_PORT);
		close(shared);
	}
}

/* One thread acts on a socket while another one binds it, a little later in each round. */
#define MEANWHILE_ROUNDS 200
#define MEANWHILE_PORT   3300

static struct {
	int fd, copy, set;
	useconds_t later;
	void (*act)(void);
	int bound; /* result of bind: 0 or errno */
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

/* Binds while the other thread acts; prepare may be NULL. */
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
		meanwhile.bound = error_of(pair_bind(meanwhile.fd, MEANWHILE_PORT));
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
	CHECK_EQ(pair_set(meanwhile.fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
}

static void check_option(void)
{
	CHECK_EQ(meanwhile.bound, 0);
	CHECK_EQ(pair_option(meanwhile.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
}

static void register_it(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	meanwhile.set = epoll_create1(EPOLL_CLOEXEC);
	CHECK_EQ(epoll_ctl(meanwhile.set, EPOLL_CTL_ADD, meanwhile.fd, &event), 0);
}

/* Repeats until the bind is over, so that each moment of it is hit in the end. */
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
	copy_bound = error_of(pair_bind(meanwhile.copy, MEANWHILE_PORT + 1));
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

/* A socket that one thread binds while another one changes it. */
struct changed {
	pthread_barrier_t barrier;
	int number;
	int fd;
	int rc;
};

static int change(const struct changed *changed)
{
	if (changed->number % 4 == 0) /* fails with ENOTCONN, but has its effect */
		return shutdown(changed->fd, SHUT_WR);
	return pair_join_group(changed->fd, GROUP);
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
	if (changed->number % 4 == 0) {
		CHECK_FAILS(pair_send(changed->fd, FIRST_PORT), EPIPE);
		return;
	}
	CHECK_EQ(changed->rc, 0);
	CHECK_FAILS(change(changed), EADDRINUSE);
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

/* A change that cannot be read back is not lost between the old socket and the new one. */
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
	RUN(test_meanwhile);
	RUN(test_changed_meanwhile);
	return 0;
}
