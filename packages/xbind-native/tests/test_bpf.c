/* SPDX-License-Identifier: MIT */
/*
 * test_bpf.c - sockets with an eBPF program, which cannot be read back from the kernel
 *
 * The library keeps a copy of the program's descriptor. Port 3000 and those after it are listed.
 */
#include "support/bpf.h"
#include "support/child.h"
#include "support/forbid.h"
#include "support/pair.h"

#include <fcntl.h>

/* Descriptor numbers of the library's copies, and the most that there are. */
#define KEPT_FIRST 512
#define KEPT_END   600
#define KEPT       16

/* A program attached behind the library's back cannot be carried over. */
static void test_unseen_program(void)
{
	int fd = pair_socket(SOCK_STREAM), program = load_program();

	if (program >= 0) {
		CHECK_EQ(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_ATTACH_BPF, &program,
		                 sizeof(program)),
		         0);
		pair_refused(fd, 3003, EACCES);
		close(program);
	}
	close(fd);
}

/* No copy is kept for a socket that has moved already, or never moves. */
static void test_program_of_others(void)
{
	int fd = pair_socket(SOCK_STREAM), other = socket(AF_UNIX, SOCK_STREAM, 0),
	    program = load_program();

	CHECK_EQ(pair_bind(fd, 3008), 0);
	if (program >= 0) {
		CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_ATTACH_BPF, program), 0);
		CHECK_EQ(pair_set(other, SOL_SOCKET, SO_ATTACH_BPF, program), 0);
		close(program);
	}
	close(other);
	close(fd);
}

/* The copies have high numbers and are close-on-exec; those for closed sockets are closed. */
static void test_kept_programs(void)
{
	int program = load_program(), copies = 0;

	for (int i = 0; program >= 0 && i < 3 * KEPT; i++) {
		int fd = pair_socket(SOCK_STREAM);

		CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_ATTACH_BPF, program), 0);
		close(fd);
	}
	for (int number = KEPT_FIRST; number < KEPT_END; number++) {
		int flags = fcntl(number, F_GETFD);

		if (flags >= 0)
			CHECK_EQ(flags, FD_CLOEXEC);
		copies += flags >= 0;
	}
	CHECK(pair_preloaded() && program >= 0 ? copies > 0 && copies <= KEPT : copies == 0);
}

/* A file that the host has opened under the number of a closed copy is neither closed nor
 * attached. */
static void close_copy(int option, bool is_refused)
{
	int fd = pair_socket(SOCK_STREAM), program = load_program(), null;
	char byte;

	if (program < 0)
		return;
	if (is_refused)
		forbid(SYS_bpf);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, option, program), 0);
	syscall(SYS_close_range, program + 1, ~0U, 0);
	null = open("/dev/null", O_RDONLY);
	for (int number = 100; number < KEPT_END; number++)
		CHECK_EQ(dup2(null, number), number);
	if (pair_preloaded())
		CHECK_FAILS(pair_bind(fd, 3011), EACCES);
	CHECK_EQ(pair_set(fd, SOL_SOCKET, option, program), 0);
	for (int number = 100; number < KEPT_END; number++)
		CHECK_EQ(read(number, &byte, 1), 0); /* still the host's file */
	if (is_refused)
		pair_refused(fd, 3011, EACCES); /* what was attached is unknown */
	else
		CHECK_EQ(pair_bind(fd, 3011), 0);
}

static void test_closed_copy_without_bpf(void)
{
	close_copy(SO_ATTACH_BPF, true);
}

static void test_closed_copy(void)
{
	close_copy(SO_ATTACH_BPF, false);
}

static void test_closed_copy_of_spreading(void)
{
	close_copy(SO_ATTACH_REUSEPORT_EBPF, false);
}

int main(void)
{
	RUN(test_unseen_program);
	RUN(test_program_of_others);
	RUN_BY(child_run, test_kept_programs);
	RUN_BY(forbid_run, test_closed_copy_without_bpf);
	RUN_BY(forbid_run, test_closed_copy);
	RUN_BY(forbid_run, test_closed_copy_of_spreading);
	return 0;
}
