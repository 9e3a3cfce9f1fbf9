/* SPDX-License-Identifier: MIT */
/*
 * test_bind.c - bind keeps its contract in every situation, with the preload library and without
 *
 * Ports 3000 to 3999 are listed.
 */
#include "support/pair.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NOT_LISTED   5000
#define SMALL_STACK  16384 /* bytes */
#define SPARE_FDS    4     /* most descriptors that bind is left with */
#define HANDLER_PORT 3020
#define EARLY_PORT   3021

static int early = -1;

/* Runs before constructors of libraries have any reason to be done with theirs. */
__attribute__((constructor(101))) static void bind_early(void)
{
	if (!getenv("PAIR_COOKIE"))
		return;
	early = socket(AF_INET, SOCK_STREAM, 0);
	/* The child of test_child_program() finds it taken by its parent. */
	if (pair_bind(early, EARLY_PORT) < 0 && errno != EADDRINUSE)
		abort();
}

static void test_before_main(void)
{
	CHECK(pair_is_there(early));
	CHECK_EQ(pair_port(early), EARLY_PORT);
}

static void test_bind_and_listen(void)
{
	int fd = pair_socket(SOCK_STREAM | SOCK_CLOEXEC);

	errno = 77;
	CHECK_EQ(pair_bind(fd, 3000), 0);
	CHECK_EQ(errno, 77);
	CHECK(pair_is_there(fd));
	CHECK_EQ(pair_port(fd), 3000);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(listen(fd, 5), 0);
	close(fd);
}

/* Binds a fresh socket and checks that it is where it should be. */
static void bind_fresh(uint16_t port)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, port), 0);
	CHECK_EQ(pair_port(fd), port);
	CHECK(pair_is_there(fd));
	close(fd);
}

/* A connection from one listed port to another. */
static void test_goes_on_working(void)
{
	int listener = pair_socket(SOCK_STREAM), client = pair_socket(SOCK_STREAM), conn;
	struct sockaddr_in addr = pair_addr(3001);
	char byte = 0;

	CHECK_EQ(pair_bind(listener, 3001), 0);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK_EQ(pair_bind(client, 3002), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
	conn = accept(listener, NULL, NULL);
	CHECK(conn >= 0);
	for (uint16_t port = 3003; port < 3005; port++) {
		CHECK(pair_bind(listener, port) < 0 && errno == EINVAL);
		CHECK(pair_bind(client, port) < 0 && errno == EINVAL);
		CHECK(pair_bind(conn, port) < 0 && errno == EINVAL);
	}
	CHECK_EQ(send(client, "x", 1, 0), 1);
	CHECK_EQ(recv(conn, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
	                    sizeof(struct linger)),
	         0);
	close(conn);
	close(client);
	close(listener);
}

static bool is_in_own(int fd, int reference)
{
	uint64_t a = 0, b = 1;
	socklen_t len = sizeof(a);

	if (getenv("TEST_EMULATOR")) /* which does not know the option */
		return true;
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &a, &len), 0);
	CHECK_EQ(getsockopt(reference, SOL_SOCKET, SO_NETNS_COOKIE, &b, &len), 0);
	return a == b;
}

static void test_retry(void)
{
	int holder = pair_socket(SOCK_STREAM), fd = pair_socket(SOCK_STREAM);
	int reference = pair_socket(SOCK_DGRAM), one = 1;

	CHECK_EQ(pair_bind(holder, 3005), 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
	CHECK(pair_bind(fd, 3005) < 0 && errno == EADDRINUSE);
	CHECK(is_in_own(fd, reference));
	CHECK(pair_bind(fd, 3005) < 0 && errno == EADDRINUSE);
	CHECK_EQ(pair_bind(fd, 3006), 0);
	CHECK(pair_is_there(fd));
	close(fd);
	fd = pair_socket(SOCK_STREAM);
	CHECK(pair_bind(fd, 3005) < 0 && errno == EADDRINUSE);
	CHECK_EQ(pair_bind(fd, NOT_LISTED), 0);
	CHECK(is_in_own(fd, reference));
	close(fd);
	close(holder);
	close(reference);
}

static void test_copies(void)
{
	int fd = pair_socket(SOCK_STREAM), copy = dup(fd);
	int far = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	CHECK_EQ(pair_bind(fd, 3007), 0);
	CHECK_EQ(pair_port(copy), 3007);
	CHECK_EQ(pair_port(far), 3007);
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_EQ(fcntl(far, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(listen(copy, 1), 0);
	close(fd);
	close(copy);
	close(far);
}

static void test_flags(void)
{
	const int flags[] = {0, O_NONBLOCK, O_APPEND, O_NONBLOCK | O_APPEND};

	for (int i = 0; i < 8; i++) {
		int fd = pair_socket(SOCK_STREAM | (i & 4 ? SOCK_CLOEXEC : 0)), before;

		CHECK_EQ(fcntl(fd, F_SETFL, flags[i % 4]), 0);
		before = fcntl(fd, F_GETFL);
		CHECK_EQ(pair_bind(fd, 3008), 0);
		CHECK_EQ(fcntl(fd, F_GETFL), before);
		CHECK_EQ(fcntl(fd, F_GETFD), i & 4 ? FD_CLOEXEC : 0);
		close(fd);
	}
}

static volatile sig_atomic_t reported = -1;

static void report(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	reported = info->si_fd;
}

/* A signal tells that a datagram has come, and on which descriptor. */
static void test_signals(void)
{
	const struct sigaction action = {.sa_sigaction = report, .sa_flags = SA_SIGINFO};
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getpid()}, now = {0};
	struct sockaddr_in addr = pair_addr(3009);
	int fd = pair_socket(SOCK_DGRAM), sender = pair_socket(SOCK_DGRAM);

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(fcntl(fd, F_SETOWN_EX, &owner), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_ASYNC), 0);
	CHECK_EQ(pair_bind(fd, 3009), 0);
	CHECK_EQ(fcntl(fd, F_GETSIG), SIGUSR1);
	CHECK_EQ(fcntl(fd, F_GETOWN_EX, &now), 0);
	CHECK_EQ(now.pid, getpid());
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
	reported = -1;
	CHECK_EQ(pair_bind(sender, 3010), 0);
	CHECK_EQ(sendto(sender, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)), 1);
	for (int tries = 0; reported < 0 && tries < 5000; tries++)
		poll(NULL, 0, 1);
	CHECK_EQ(reported, fd);
	close(fd);
	close(sender);
	signal(SIGUSR1, SIG_DFL);
}

/* The old socket, which a child keeps, makes no signal here any more. */
static void test_no_ghost_signal(void)
{
	const struct sigaction action = {.sa_sigaction = report, .sa_flags = SA_SIGINFO};
	int fd = pair_socket(SOCK_STREAM), done[2], status;
	char byte;
	pid_t child;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(fcntl(fd, F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_ASYNC), 0);
	CHECK_EQ(pipe(done), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(read(done[0], &byte, 1), 1);
		CHECK(!pair_preloaded() || !(fcntl(fd, F_GETFL) & O_ASYNC));
		_exit(0);
	}
	CHECK_EQ(pair_bind(fd, 3033), 0);
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
	CHECK_EQ(write(done[1], "", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	close(fd);
	close(done[0]);
	close(done[1]);
	signal(SIGUSR1, SIG_DFL);
}

static void test_owner_of_inode(void)
{
	int fd = pair_socket(SOCK_STREAM);
	struct stat before, after;

	CHECK_EQ(fstat(fd, &before), 0);
	CHECK_EQ(pair_bind(fd, 3011), 0);
	CHECK_EQ(fstat(fd, &after), 0);
	CHECK_EQ(after.st_uid, before.st_uid);
	CHECK_EQ(after.st_gid, before.st_gid);
	close(fd);
}

static void await(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

static void test_forked_child(void)
{
	int shared = pair_socket(SOCK_STREAM);
	pid_t child = fork();

	if (child == 0) {
		bind_fresh(3012);
		CHECK_EQ(pair_bind(shared, 3013), 0);
		CHECK(pair_is_there(shared));
		_exit(0);
	}
	await(child);
	close(shared);
}

static void test_vforked_child(void)
{
	static volatile int rc;
	int fd = pair_socket(SOCK_STREAM);
	pid_t child = vfork();

	if (child == 0) {
		rc = pair_bind(fd, 3014);
		_exit(rc == 0 ? 0 : 1);
	}
	await(child);
	CHECK_EQ(pair_bind(fd, 3015), pair_preloaded() ? 0 : -1);
	close(fd);
	bind_fresh(3016);
}

static sig_atomic_t handled;

static void bind_in_handler(int number)
{
	int saved = errno;

	(void)number;
	bind_fresh(HANDLER_PORT);
	handled = 1;
	errno = saved;
}

static void test_signal_handler(void)
{
	signal(SIGUSR2, bind_in_handler);
	raise(SIGUSR2);
	CHECK_EQ(handled, 1);
	signal(SIGUSR2, SIG_DFL);
}

static void test_without_environment(void)
{
	extern char **environ;
	char **before = environ;

	environ = NULL;
	CHECK_EQ(clearenv(), 0);
	{
		int fd = pair_socket(SOCK_STREAM), there = -1;

		CHECK_EQ(pair_bind(fd, 3022), 0);
		environ = before;
		there = pair_is_there(fd);
		CHECK_EQ(there, 1);
		close(fd);
	}
}

static void *bind_cancelled(void *argument)
{
	int fd = pair_socket(SOCK_STREAM), rc;

	(void)argument;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	CHECK_EQ(pthread_cancel(pthread_self()), 0);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	rc = pair_bind(fd, 3023);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* close is one */
	CHECK_EQ(rc, 0);
	CHECK(pair_is_there(fd));
	close(fd);
	return (void *)&handled;
}

/* bind is no cancellation point, so a thread that is to be cancelled gets past it. */
static void test_pending_cancellation(void)
{
	pthread_t thread;
	void *result = NULL;

	CHECK_EQ(pthread_create(&thread, NULL, bind_cancelled, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result == &handled);
}

static void *bind_in_thread(void *argument)
{
	(void)argument;
	bind_fresh(3024);
	return NULL;
}

static void test_small_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);

	/* A sanitizer or a processor with large registers may need more for itself. */
	CHECK_EQ(pthread_attr_init(&attributes), 0);
	CHECK_EQ(pthread_attr_setstacksize(&attributes, least > SMALL_STACK ? least : SMALL_STACK),
	         0);
	CHECK_EQ(pthread_create(&thread, &attributes, bind_in_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
}

/* In a child, which may lower its limit for good. */
static void bind_with_spare(int spare)
{
	int fd = pair_socket(SOCK_STREAM), reference = pair_socket(SOCK_DGRAM), rc;
	int top = dup(fd);
	struct rlimit limit;

	close(top);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)(top + spare);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rc = pair_bind(fd, 3025);
	if (rc < 0) {
		CHECK(pair_preloaded() && errno == EMFILE);
		CHECK(is_in_own(fd, reference));
		limit.rlim_cur = limit.rlim_max;
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
		CHECK_EQ(pair_bind(fd, 3025), 0);
	}
	CHECK(pair_is_there(fd));
	_exit(rc < 0 ? 1 : 0);
}

static void test_few_descriptors(void)
{
	for (int spare = 0; spare <= SPARE_FDS; spare++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			bind_with_spare(spare);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFEXITED(status));
		CHECK(WEXITSTATUS(status) == 0 || spare < 2);
	}
}

static void bind_without_proc(void)
{
	int fd, copy;

	if (unshare(CLONE_NEWNS) < 0)
		_exit(0); /* not allowed here */
	CHECK_EQ(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	CHECK(access("/proc/self", F_OK) < 0);
	fd = pair_socket(SOCK_STREAM);
	copy = dup(fd);
	CHECK_EQ(pair_bind(fd, 3026), 0);
	CHECK(pair_is_there(fd));
	CHECK_EQ(pair_port(copy), 3026);
	_exit(0);
}

static void test_without_proc(void)
{
	pid_t child = fork();

	if (child == 0)
		bind_without_proc();
	await(child);
}

/* Daemons close what they do not know; so does bind's own, if it kept any. */
static void test_closes_all(void)
{
	pid_t child = fork();

	if (child == 0) {
		bind_fresh(3027);
		syscall(SYS_close_range, 3, ~0U, 0);
		bind_fresh(3028);
		bind_fresh(3029);
		_exit(0);
	}
	await(child);
}

static void test_child_program(void)
{
	pid_t child;

	if (getenv("TEST_EMULATOR")) /* the kernel would not know how to run us */
		return;
	child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "test_bind", "child", (char *)NULL);
		_exit(1);
	}
	await(child);
}

static void test_listed_port_of_udp(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_bind(fd, 3030), 0);
	CHECK(pair_is_there(fd));
	close(fd);
}

/* What the program closes is closed: the server holds no copy that keeps the port taken. */
static void test_port_is_free_again(void)
{
	for (int i = 0; i < 20; i++) {
		int fd = pair_socket(SOCK_DGRAM);

		CHECK_EQ(pair_bind(fd, 3032), 0);
		CHECK(pair_is_there(fd));
		close(fd);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "child") == 0) {
		bind_fresh(3031);
		return 0;
	}
	RUN(test_before_main);
	RUN(test_bind_and_listen);
	RUN(test_goes_on_working);
	RUN(test_retry);
	RUN(test_copies);
	RUN(test_flags);
	RUN(test_signals);
	RUN(test_no_ghost_signal);
	RUN(test_owner_of_inode);
	RUN(test_forked_child);
	RUN(test_vforked_child);
	RUN(test_signal_handler);
	RUN(test_without_environment);
	RUN(test_pending_cancellation);
	RUN(test_small_stack);
	RUN(test_few_descriptors);
	RUN(test_without_proc);
	RUN(test_closes_all);
	RUN(test_child_program);
	RUN(test_listed_port_of_udp);
	RUN(test_port_is_free_again);
	return 0;
}
