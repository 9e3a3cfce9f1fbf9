/* SPDX-License-Identifier: MIT */
/*
 * alternate_stack.c - bind in a signal handler that has a small stack
 *
 * Below the stack is a page that cannot be touched. Exits with 0 if the socket has moved.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_FOR_BIND 6144 /* bytes; xbind(7) says some 5 KiB */

static int fd, rc;

static void handle(int number)
{
	const struct sockaddr_in address = {.sin_family = AF_INET};

	(void)number;
	rc = bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

int main(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + STACK_FOR_BIND;
	char *memory =
	    mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const stack_t stack = {.ss_sp = memory + page, .ss_size = size};
	const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
	struct stat before, after;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) < 0 ||
	    sigaltstack(&stack, NULL) < 0 || sigaction(SIGUSR1, &action, NULL) < 0 ||
	    fstat(fd, &before) < 0)
		return 1;
	raise(SIGUSR1);
	return rc == 0 && fstat(fd, &after) == 0 && after.st_ino != before.st_ino ? 0 : 2;
}
