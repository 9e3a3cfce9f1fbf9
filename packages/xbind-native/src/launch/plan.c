/* SPDX-License-Identifier: MIT */
#include "launch/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/number.h"
#include "launch/children.h"
#include "launch/environment.h"
#include "launch/words.h"

#define PLAN_BYTES    (192 * 1024) /* bytes, as packages/cli/src/plan.ts has it */
#define RELAY_BYTES   4096         /* bytes */
#define LISTEN_FD     3            /* SD_LISTEN_FDS_START */
#define CHILD_PLAN_FD 3
#define CHILD_CWD_FD  4
#define CHILD_FREE_FD 5
#define PRELOAD_ASIDE "XSOCKET_RUN_PRELOAD"

enum stream { STREAM_OUT, STREAM_ERR, STREAM_PLAN, STREAM_COUNT };

/* Both ends of each stream between Bun and us. */
struct streams {
	int ours[STREAM_COUNT];
	int child[STREAM_COUNT];
};

struct plan {
	char bytes[PLAN_BYTES + 1];
	size_t length; /* 0 when there is none */
	int socket;    /* -1 when there is none */
	int unwritten; /* errno of a result that could not be written, 0 else */
};

/* Above all numbers that the child's streams get, so that placing one never destroys another. */
static int raise_fd(int fd)
{
	int raised = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FREE_FD);
	int rc = raised < 0 ? -errno : raised;

	close(fd);
	return rc;
}

static int streams_open(struct streams *streams)
{
	for (int i = 0; i < STREAM_COUNT; i++) {
		int pair[2];
		int rc = i == STREAM_PLAN
		             ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)
		             : pipe2(pair, O_CLOEXEC);
		if (rc < 0)
			return -errno;
		streams->ours[i] = raise_fd(pair[0]);
		streams->child[i] = raise_fd(pair[1]);
		if (streams->ours[i] < 0 || streams->child[i] < 0)
			return -EMFILE;
	}
	return 0;
}

static int place(int fd, int number)
{
	return dup2(fd, number) < 0 ? -errno : 0;
}

/* Bun does not load the libraries that are meant for the program, but is told of them. */
static int put_preload_aside(void)
{
	const char *preload = getenv("LD_PRELOAD");
	char *aside = NULL;

	unsetenv(PRELOAD_ASIDE); /* what starts us may drop LD_PRELOAD but not this, as sudo does */
	if (!preload)
		return 0;
	if (asprintf(&aside, PRELOAD_ASIDE "=%s", preload) < 0)
		return -ENOMEM;
	int rc = environment_set(aside);
	unsetenv("LD_PRELOAD");
	return rc;
}

/* In the child: tells Bun that our pipe is the journal, so that its lines have their priority. */
static int pass_for_journal(void)
{
	static char stream[WORDS_STREAM_BYTES];

	words_stream(stream);
	return environment_set(stream);
}

/* In the child: becomes Bun, with its streams and the current directory alone. Return: -errno. */
static int child_exec(const struct bun *bun, struct streams *streams, int argc, char **argv)
{
	int nowhere = raise_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
	int cwd = raise_fd(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	int rc = nowhere < 0 ? nowhere : 0;
	bool for_journal = words_for_journal();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = rc < 0 ? rc : place(nowhere, STDIN_FILENO);
	rc = rc < 0 ? rc : place(streams->child[STREAM_OUT], STDOUT_FILENO);
	rc = rc < 0 ? rc : place(streams->child[STREAM_ERR], STDERR_FILENO);
	rc = rc < 0 ? rc : place(streams->child[STREAM_PLAN], CHILD_PLAN_FD);
	rc = rc < 0 || cwd < 0 ? rc : place(cwd, CHILD_CWD_FD);
	rc = rc < 0 || !for_journal ? rc : pass_for_journal();
	rc = rc < 0 ? rc : put_preload_aside();
	if (rc < 0)
		return rc;
	syscall(SYS_close_range, CHILD_FREE_FD, ~0U, 0U);
	return bun_exec(bun, cwd < 0 ? NO_DESCRIPTOR : CHILD_CWD_FD, CHILD_PLAN_FD, argc, argv);
}

static pid_t child_start(const struct bun *bun, struct streams *streams, int argc, char **argv)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	_exit(bun_fail(bun, child_exec(bun, streams, argc, argv)));
}

/* What writing raises: to a pipe without a reader, and to a file that may not grow (ulimit -f). */
static const int RAISED[] = {SIGPIPE, SIGXFSZ};

#define RAISED_COUNT (sizeof(RAISED) / sizeof(RAISED[0]))

/* The state of these signals before the launcher wrote anything for Bun. */
struct raised {
	struct sigaction actions[RAISED_COUNT];
	sigset_t pending;
};

/* From here on, writing does not kill us. */
static void raised_ignore(struct raised *ret)
{
	sigpending(&ret->pending);
	for (size_t i = 0; i < RAISED_COUNT; i++) {
		sigaction(RAISED[i], NULL, &ret->actions[i]);
		if (!sigismember(&ret->pending, RAISED[i]))
			sigaction(RAISED[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	}
}

/* Puts them back as they were. Ignoring one once more discards one of ours that is blocked and
 * pending. */
static void raised_restore(const struct raised *before)
{
	for (size_t i = 0; i < RAISED_COUNT; i++) {
		if (sigismember(&before->pending, RAISED[i]))
			continue;
		sigaction(RAISED[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
		sigaction(RAISED[i], &before->actions[i], NULL);
	}
}

/* Return: 0, or -errno of what write(2) gave. */
static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EAGAIN) {
			/* Somebody has made our stream non-blocking. */
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
			continue;
		}
		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

/* Return: bytes read, 0 at the end of the stream, -errno. A result that cannot be written is noted
 * in the plan; other output is lost. */
static ssize_t relay(int from, int to, struct plan *plan)
{
	char bytes[RELAY_BYTES];
	ssize_t got = read(from, bytes, sizeof(bytes));

	if (got > 0) {
		int rc = write_all(to, bytes, (size_t)got);

		if (rc < 0 && to == STDOUT_FILENO)
			plan->unwritten = -rc;
	}
	return got < 0 ? -errno : got;
}

/* Return: bytes received, 0 at the end of the stream, -EMFILE where the kernel keeps the socket
 * from this process, -EMSGSIZE for a plan that is too long, else -errno of recvmsg(2). */
static ssize_t receive(int from, struct plan *plan)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = plan->bytes, .iov_len = PLAN_BYTES};
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);

	if (got <= 0)
		return got < 0 ? -errno : 0;
	if (msg.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	plan->length = (size_t)got;
	plan->bytes[got] = '\0';
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&plan->socket, CMSG_DATA(cmsg), sizeof(plan->socket));
	return got;
}

static ssize_t stream_read(enum stream stream, int fd, struct plan *plan)
{
	if (stream == STREAM_PLAN)
		return receive(fd, plan);
	return relay(fd, stream == STREAM_OUT ? STDOUT_FILENO : STDERR_FILENO, plan);
}

/* Serves all streams until Bun has closed them. Return: 0, -errno of poll(2) or of receiving the
 * plan. */
static int listen_to_child(int ours[STREAM_COUNT], struct plan *plan)
{
	int open_streams = STREAM_COUNT;

	while (open_streams > 0) {
		struct pollfd polled[STREAM_COUNT];

		for (int i = 0; i < STREAM_COUNT; i++)
			polled[i] = (struct pollfd){.fd = ours[i], .events = POLLIN};
		if (poll(polled, STREAM_COUNT, -1) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		for (int i = 0; i < STREAM_COUNT; i++) {
			if (polled[i].revents == 0)
				continue;
			ssize_t got = stream_read((enum stream)i, ours[i], plan);

			if (got > 0)
				continue;
			if (got < 0 && i == STREAM_PLAN)
				return (int)got;
			close(ours[i]);
			ours[i] = -1;
			open_streams--;
		}
	}
	return 0;
}

static int child_exit_code(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return words_fail(
	    "Bun was ended by signal %d (%s): check whether a limit leaves it too little "
	    "memory (ulimit -v) or too few processes (TasksMax=)",
	    WTERMSIG(status), strsignal(WTERMSIG(status)));
}

/* A program started by Node may have its channel to Node on the descriptor that is now the socket.
 */
static void forget_channel(void)
{
	const char *channel = getenv("NODE_CHANNEL_FD");

	if (!channel || number_parse(channel) != LISTEN_FD)
		return;
	unsetenv("NODE_CHANNEL_FD");
	unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
}

static int hand_on_socket(int socket)
{
	static char pid[32];

	if (socket < 0)
		return 0;
	/* dup2() onto itself would leave it close-on-exec. */
	int rc = socket == LISTEN_FD ? fcntl(socket, F_SETFD, 0) : dup2(socket, LISTEN_FD);
	if (rc < 0)
		return -errno;
	/* A second name for the process, which a service manager may have set. Where it names
	 * another process, sd_listen_fds(3) finds nothing. */
	unsetenv("LISTEN_PIDFDID");
	forget_channel();
	snprintf(pid, sizeof(pid), "LISTEN_PID=%d", (int)getpid());
	return environment_set(pid);
}

/* Becomes the program. Return: the exit code when that failed. */
static int plan_exec(struct plan *plan, int argc, char **argv)
{
	char *end = plan->bytes + plan->length;
	int program = number_parse(plan->bytes);
	int rc = hand_on_socket(plan->socket);

	if (program < 0 || program >= argc)
		return words_fail("the plan names argument %d of %d", program, argc);
	for (char *set = plan->bytes + strlen(plan->bytes) + 1; set < end && rc == 0;
	     set += strlen(set) + 1)
		rc = environment_set(set);
	if (rc < 0)
		return words_fail("cannot prepare %s: %s", argv[program], strerror(-rc));
	execvp(argv[program], argv + program);
	return words_fail("cannot run %s: %s", argv[program], strerror(errno));
}

int plan_follow(const struct bun *bun, int argc, char **argv)
{
	static struct plan plan;
	struct streams streams;
	struct children children;
	struct raised raised;
	int rc = streams_open(&streams);

	plan.socket = -1;
	children_expect(&children);
	pid_t pid = rc < 0 ? rc : child_start(bun, &streams, argc, argv);

	if (pid < 0)
		return bun_fail(bun, pid);
	/* Else we would keep the streams open ourselves, and none would end. */
	for (int i = 0; i < STREAM_COUNT; i++)
		close(streams.child[i]);
	raised_ignore(&raised);
	rc = listen_to_child(streams.ours, &plan);
	raised_restore(&raised);
	if (rc < 0)
		kill(pid, SIGKILL);
	int status = children_reap(&children, pid);
	rc = rc < 0 ? rc : status;
	if (rc == -EMFILE)
		return words_fail("the socket cannot be handed on to the program: raise the limit "
		                  "of open files (ulimit -n)");
	if (rc < 0)
		return words_fail("cannot wait for Bun: %s", strerror(-rc));
	rc = child_exit_code(status);
	if (rc == EXIT_DONE && plan.unwritten == EPIPE)
		return EXIT_UNREAD;
	if (rc == EXIT_DONE && plan.unwritten)
		return words_fail(
		    "the result cannot be written: %s, so check where standard output goes",
		    strerror(plan.unwritten));
	return rc == EXIT_DONE && plan.length > 0 ? plan_exec(&plan, argc, argv) : rc;
}
