/* SPDX-License-Identifier: MIT */
/* fork.c - a server as people have it today: a process for each connection */
#include "serve.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2)
		return fprintf(stderr, "usage: %s PATH\n", argv[0]), 2;
	listener = bench_listen(argv[1]);
	for (;;) {
		int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0)
			return perror("accept4"), 1;
		if (fork() == 0) {
			close(listener);
			while (bench_answer(conn))
				;
			_exit(0);
		}
		close(conn);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
