/* SPDX-License-Identifier: MIT */
/*
 * pair.c - run a program in a namespace of its own, with a server in a second one
 *
 * usage: pair [OPTION]... PROGRAM [ARGUMENT]...
 *   -p LIBRARY  preload this library in PROGRAM; may be repeated
 *   -x XBIND    value of XBIND
 *   -m MODE     how the server behaves (server.h); "none": there is no control socket;
 *               "stale": there is one, but its server has ended
 *   -s SERVER   run this program, with the path as its argument, in place of the small server
 *   -o KEY=TEXT sysctl of the program's own namespace, for example net/ipv4/ip_default_ttl=7
 *   -t KEY=TEXT sysctl of the target namespace
 *   -e KEY=TEXT environment variable of PROGRAM
 *   -u          as root: be an ordinary user, in a user namespace
 *   -n          the server is in the program's own namespace
 *   -c          run PROGRAM without the libraries, then with them, and compare its output
 *
 * As root the network namespaces belong to the machine's user namespace, else to a new one.
 * PAIR_COOKIE tells PROGRAM the cookie of the namespace where its sockets have to be: the target's
 * with a library, else its own.
 */
#include "support/place.h"
#include "support/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX    32
#define NOBODY       65534
#define SKIPPED      77   /* exit status of a skipped test */
#define DESCRIPTORS  1024 /* RLIMIT_NOFILE, the same on every machine */
#define SHOWN        10   /* most differing pairs of lines to print */
#define SERVER_TRIES 5000 /* tries, 1 ms apart */

static struct {
	char libraries[4096];
	const char *xbind;
	const char *mode;
	const char *server;
	const char *own[WORDS_MAX];
	const char *target[WORDS_MAX];
	const char *environment[WORDS_MAX];
	bool user;
	bool near;
	bool compare;
} options = {.xbind = "*", .mode = "good"};

static char dir[] = "/tmp/xsocket-pair-XXXXXX";
static char control[sizeof(dir) + 8];
static pid_t server;

static void clean_up(void)
{
	if (server > 0) {
		kill(-server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	unlink(control);
	rmdir(dir);
}

/* Cleans up /tmp also after Ctrl-C. */
static void end_by(int number)
{
	clean_up();
	_exit(128 + number);
}

_Noreturn void die(const char *what)
{
	fprintf(stderr, "pair: %s: %s\n", what, strerror(errno));
	clean_up();
	exit(2);
}

/* LD_PRELOAD cannot quote, so the path may not have a separator. */
static void add_library(const char *path)
{
	size_t used = strlen(options.libraries);

	if (strpbrk(path, " :")) {
		fprintf(stderr,
		        "pair: %s cannot be preloaded, since LD_PRELOAD separates its paths by "
		        "spaces and colons: build in a directory without them\n",
		        path);
		exit(2);
	}
	snprintf(options.libraries + used, sizeof(options.libraries) - used, "%s%s",
	         used ? " " : "", path);
}

static void append(const char *list[WORDS_MAX], const char *word)
{
	int i = 0;

	while (list[i] && i < WORDS_MAX - 2)
		i++;
	list[i] = word;
}

static void limit_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("RLIMIT_NOFILE");
	limit.rlim_cur = DESCRIPTORS;
	if (limit.rlim_max < DESCRIPTORS)
		limit.rlim_max = DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return;
	fprintf(stderr, "pair: skipped: RLIMIT_NOFILE is below %d: %s\n", DESCRIPTORS,
	        strerror(errno));
	exit(SKIPPED);
}

/* The kernel gives no user namespace in a chroot, nor do some containers; scripts/steps.sh
 * detects that, as it detects TEST_ONE_USER, and nowhere else is anything skipped. */
static bool is_known_to_fail(void)
{
	return getenv("TEST_NO_NAMESPACES") || (options.user && getenv("TEST_CHROOTED"));
}

static void enter_own_namespace(void)
{
	if (options.user && getenv("TEST_ONE_USER")) {
		fputs("pair: skipped: root cannot become another user\n", stderr);
		exit(SKIPPED);
	}
	if (options.user && geteuid() == 0)
		place_become(NOBODY);
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		die(dir);
	if (place_enter(options.own))
		return;
	if (!is_known_to_fail())
		die("unshare");
	fprintf(stderr, "pair: skipped: unshare: %s\n", strerror(errno));
	clean_up();
	exit(SKIPPED);
}

static int open_listener(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(control, sizeof(control), "%s/control", dir);
	memcpy(addr.sun_path, control, sizeof(control));
	if (options.server || strcmp(options.mode, "none") == 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 128) < 0 ||
	    chmod(control, 0666) < 0)
		die("listener");
	if (strcmp(options.mode, "stale") == 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A server given by -s is ready when it accepts connections. */
static void wait_for_server(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memcpy(addr.sun_path, control, sizeof(control));
	for (int tries = 0; tries < SERVER_TRIES; tries++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		int rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));

		close(fd);
		if (rc == 0)
			return;
		poll(NULL, 0, 1);
	}
	die("the server");
}

/* Starts the server in a namespace of its own. Return: the cookie of that namespace. */
static uint64_t start_server(void)
{
	int listener = open_listener();
	uint64_t cookie;
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) < 0)
		die("pipe");
	server = fork();
	if (server == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* when pair is killed: end_by() cleans up */
		if (!options.near && !place_enter(options.target))
			die("unshare");
		cookie = place_cookie();
		if (write(ready[1], &cookie, sizeof(cookie)) != sizeof(cookie))
			die("pipe");
		close(ready[0]);
		close(ready[1]);
		if (options.server) {
			execlp(options.server, options.server, control, (char *)NULL);
			die(options.server);
		}
		server_run(listener, server_mode_named(options.mode));
	}
	close(ready[1]);
	if (read(ready[0], &cookie, sizeof(cookie)) != sizeof(cookie))
		die("the server");
	close(ready[0]);
	close(listener);
	if (options.server)
		wait_for_server();
	return cookie;
}

static void set_environment(const char *preload, uint64_t cookie)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, cookie);
	setenv("PAIR_COOKIE", text, 1);
	for (int i = 0; options.environment[i]; i++)
		putenv((char *)options.environment[i]);
	if (!*preload) {
		unsetenv("LD_PRELOAD");
		return;
	}
	setenv("PAIR_PRELOADED", "1", 1);
	setenv("LD_PRELOAD", preload, 1);
	setenv("XBIND", options.xbind, 1);
	setenv("XSOCKET", control, 1);
}

/* Runs the program; its output goes to a new temporary file if ret_output is given. */
static int run(char **argv, const char *preload, uint64_t cookie, FILE **ret_output)
{
	FILE *output = ret_output ? tmpfile() : NULL;
	int status;
	pid_t child;

	if (ret_output && !output)
		die("tmpfile");
	child = fork();
	if (child == 0) {
		server = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (output)
			dup2(fileno(output), STDOUT_FILENO);
		set_environment(preload, cookie);
		execvp(argv[0], argv);
		fprintf(stderr, "pair: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("the program");
	if (ret_output) {
		rewind(output);
		*ret_output = output;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "pair: %s: %s\n", argv[0], strsignal(WTERMSIG(status)));
	return 128 + WTERMSIG(status);
}

/* Prints the first lines that differ, and the one before: after an extra line all others differ,
 * too. Return: the number of differing lines. */
static int compare(FILE *plain, FILE *preloaded)
{
	char a[1024], b[1024], before[1024] = "(start)\n";
	int differ = 0;

	for (;;) {
		char *has_a = fgets(a, sizeof(a), plain);
		char *has_b = fgets(b, sizeof(b), preloaded);

		if (!has_a && !has_b)
			break;
		if (has_a && has_b && strcmp(a, b) == 0) {
			strcpy(before, a);
			continue;
		}
		if (differ == 0)
			printf("both:      %s", before);
		if (differ++ < SHOWN)
			printf("plain:     %spreloaded: %s", has_a ? a : "(end)\n",
			       has_b ? b : "(end)\n");
	}
	if (differ > SHOWN)
		printf("and %d more\n", differ - SHOWN);
	return differ;
}

static int run_twice(char **argv, uint64_t own, uint64_t target)
{
	FILE *plain, *preloaded;
	int first = run(argv, "", own, &plain);
	int second = run(argv, options.libraries, target, &preloaded);
	int differ = compare(plain, preloaded);

	fclose(plain);
	fclose(preloaded);
	if (first != second)
		printf("plain exits %d, preloaded %d\n", first, second);
	return first == second && differ == 0 ? first : 1;
}

static void parse(int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "+p:x:m:s:o:t:e:unc")) != -1) {
		switch (letter) {
		case 'p':
			add_library(optarg);
			break;
		case 'x':
			options.xbind = optarg;
			break;
		case 'm':
			options.mode = optarg;
			break;
		case 's':
			options.server = optarg;
			break;
		case 'o':
			append(options.own, optarg);
			break;
		case 't':
			append(options.target, optarg);
			break;
		case 'e':
			append(options.environment, optarg);
			break;
		case 'u':
			options.user = true;
			break;
		case 'n':
			options.near = true;
			break;
		case 'c':
			options.compare = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t own, target;
	int rc;

	parse(argc, argv);
	if (optind >= argc)
		return 2;
	signal(SIGINT, end_by);
	signal(SIGTERM, end_by);
	signal(SIGHUP, end_by);
	limit_descriptors();
	enter_own_namespace();
	own = place_cookie();
	target = start_server();
	if (options.compare)
		rc = run_twice(argv + optind, own, target);
	else
		rc = run(argv + optind, options.libraries, *options.libraries ? target : own, NULL);
	clean_up();
	return rc;
}
