/* SPDX-License-Identifier: MIT */
/* floor.c - the least a server can do: accept4, recv, socket, sendmsg, close, close, one by one */
#include "serve.h"

#include <stdio.h>
#include <sys/socket.h>
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
		bench_answer(conn);
		close(conn);
	}
}
