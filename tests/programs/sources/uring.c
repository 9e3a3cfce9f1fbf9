/*
 * uring [accept]: binds and listens by io_uring alone (IORING_OP_BIND, kernel 6.11); or does that
 * by libc, and only accepts by io_uring, as most such programs do.
 */
#include "answer.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { OP_BIND = 56, OP_LISTEN = 57 }; /* newer than Debian's header */

static struct io_uring_params params;
static char *rings;
static struct io_uring_sqe *entries;
static int ring;

static int run(struct io_uring_sqe wanted)
{
	unsigned int *tail = (unsigned int *)(rings + params.sq_off.tail);
	unsigned int *head = (unsigned int *)(rings + params.cq_off.head);
	struct io_uring_cqe *done = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
	unsigned int at = *tail & (params.sq_entries - 1);

	entries[at] = wanted;
	((unsigned int *)(rings + params.sq_off.array))[at] = at;
	atomic_store((_Atomic unsigned int *)tail, *tail + 1);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	int result = done[*head & (params.cq_entries - 1)].res;
	atomic_store((_Atomic unsigned int *)head, *head + 1);
	return result;
}

static int listen_by_ring(int fd, const struct sockaddr_in *at)
{
	struct io_uring_sqe bind = {
	    .opcode = OP_BIND, .fd = fd, .addr = (uintptr_t)at, .off = sizeof(*at)};
	struct io_uring_sqe listen = {.opcode = OP_LISTEN, .fd = fd, .len = 5};
	int rc = run(bind);

	return rc < 0 ? rc : run(listen);
}

static int listen_by_libc(int fd, const struct sockaddr_in *at)
{
	return bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, 5) < 0 ? -errno
	                                                                                   : 0;
}

int main(int argc, char **argv)
{
	bool accepts = argc > 1 && strcmp(argv[1], "accept") == 0;
	struct sockaddr_in at = everywhere(8080);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (ring < 0) {
		perror("io_uring_setup");
		return 1;
	}
	rings = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	int rc = accepts ? listen_by_libc(fd, &at) : listen_by_ring(fd, &at);
	if (rc < 0) {
		fprintf(stderr, "%s\n", strerror(-rc));
		return 1;
	}
	struct io_uring_sqe wanted = {.opcode = IORING_OP_ACCEPT, .fd = fd};
	for (;;)
		answer(accepts ? run(wanted) : accept(fd, NULL, NULL));
}
