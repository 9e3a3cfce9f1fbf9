/* server [chroot|setuid|fork|daemon|thread]...: what it does, in turn, between socket and listen.
 */
#define _GNU_SOURCE
#include "answer.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

static int fd;

static void *do_bind(void *unused)
{
	struct sockaddr_in at = everywhere(8080);

	(void)unused;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror("bind");
		exit(1);
	}
	return NULL;
}

static void bind_in_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	if (pthread_create(&thread, &attr, do_bind, NULL) == 0)
		pthread_join(thread, NULL);
}

static int prepare(const char *what)
{
	if (strcmp(what, "chroot") == 0)
		return chroot(".") < 0 || chdir("/") < 0 ? -1 : 0;
	if (strcmp(what, "setuid") == 0)
		return setgid(65534) < 0 || setuid(65534) < 0 ? -1 : 0;
	if (strcmp(what, "fork") == 0 || strcmp(what, "daemon") == 0) {
		pid_t child = fork();
		if (child > 0) { /* holds the socket as it was, and waits */
			waitpid(child, NULL, 0);
			exit(0);
		}
	}
	if (strcmp(what, "daemon") == 0)
		close_range(3, (unsigned int)fd - 1, 0), close_range((unsigned int)fd + 1, ~0U, 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = "";
	int one = 1;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	for (int i = 1; i < argc; i++) {
		what = argv[i];
		if (prepare(what) < 0) {
			perror(what);
			return 1;
		}
	}
	if (strcmp(what, "thread") == 0)
		bind_in_thread();
	else
		do_bind(NULL);
	listen(fd, 5);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		if (peer >= 0)
			answer(peer);
	}
}
