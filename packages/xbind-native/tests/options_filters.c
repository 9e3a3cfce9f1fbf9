/* SPDX-License-Identifier: MIT */
/*
 * options_filters.c - socket filters and reuseport programs, attached before and after bind
 *
 * pair -c compares a run without the library with one with it.
 */
#include "support/bpf.h"
#include "support/outcome.h"

#include <linux/filter.h>

#define GROUP 0xef070101 /* 239.7.1.1 */
#define MANY  9          /* long programs; more than the library can record at a time */

static void show_filter(int fd)
{
	static struct sock_filter code[BPF_MAXINSNS];
	socklen_t count = 0;
	int rc = getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count);
	unsigned sum = 0;

	show("filter", rc);
	if (rc == 0 && count > 0)
		CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &count), 0);
	for (socklen_t i = 0; rc == 0 && i < count; i++)
		sum = sum * 31 + code[i].code + code[i].k;
	printf("%u instructions, sum %u\n", count, sum);
}

static struct sock_fprog program_of(struct sock_filter *code, unsigned short count)
{
	for (int i = 0; i < count - 1; i++)
		code[i] = (struct sock_filter){BPF_LD | BPF_IMM, 0, 0, (unsigned)i};
	code[count - 1] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, 0xffff};
	return (struct sock_fprog){count, code};
}

static void try_filter(unsigned short count)
{
	static struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog program = program_of(code, count);
	int fd = pair_socket(SOCK_DGRAM);

	SET("attach", fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
	set_number("lock", fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
	memset(code, 0, sizeof(code));
	bind_any(fd, AF_INET);
	show_filter(fd);
	set_number("detach", fd, SOL_SOCKET, SO_DETACH_FILTER, 1);
	close(fd);
}

static void test_classic_filters(void)
{
	try_filter(1);
	try_filter(64);
	try_filter(65);
	try_filter(BPF_MAXINSNS);
}

/* A socket that may share its port. */
static int new_sharing(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	set_number("reuseport", fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return fd;
}

static void try_reuseport(unsigned short count)
{
	static struct sock_filter code[BPF_MAXINSNS];
	struct sock_fprog program = program_of(code, count);
	int fd = new_sharing();

	SET("attach", fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program);
	memset(code, 0, sizeof(code));
	bind_any(fd, AF_INET);
	set_number("detach", fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	set_number("detach again", fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	close(fd);
}

/* The program stays attached when SO_REUSEPORT is turned off, and the socket can be bound. */
static void try_reuseport_off(const struct sock_fprog *program)
{
	int fd = new_sharing();

	SET("attach", fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, *program);
	set_number("reuseport off", fd, SOL_SOCKET, SO_REUSEPORT, 0);
	bind_any(fd, AF_INET);
	printf("reuseport %d\n", pair_option(fd, SOL_SOCKET, SO_REUSEPORT));
	close(fd);
}

/* A detached program does not come back with bind. Other options, and other sockets, keep
 * theirs. */
static void try_reuseport_detached(int name, const void *program, socklen_t len)
{
	int fd = new_sharing(), other = new_sharing();

	set("attach", other, SOL_SOCKET, name, program, len);
	show("join", pair_join_group(fd, GROUP));
	set("attach", fd, SOL_SOCKET, name, program, len);
	set_number("detach", fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	bind_any(fd, AF_INET);
	set_number("detach again", fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	show("is in", pair_join_group(fd, GROUP));
	bind_any(other, AF_INET);
	set_number("detach", other, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	close(other);
	close(fd);
}

static void test_reuseport_programs(void)
{
	struct sock_filter first = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog program = {.len = 1, .filter = &first};

	try_reuseport_off(&program);
	try_reuseport_detached(SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
	try_reuseport(2);
	try_reuseport(41);
	for (int i = 0; i < MANY; i++)
		try_reuseport(900);
}

static void try_extended(int name, bool closes)
{
	int fd = new_sharing(), program = load_program();

	SET("attach", fd, SOL_SOCKET, name, program);
	if (closes)
		close(program);
	bind_any(fd, AF_INET);
	show_filter(fd);
	set_number("detach", fd, SOL_SOCKET, SO_DETACH_FILTER, 1);
	set_number("detach", fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	close(fd);
	if (!closes)
		close(program);
}

/* A filter stays when the program that spreads connections is attached and detached. */
static void try_filter_with_spreading(int program)
{
	int fd = new_sharing();

	SET("filter", fd, SOL_SOCKET, SO_ATTACH_BPF, program);
	SET("attach", fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, program);
	set_number("detach", fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 1);
	bind_any(fd, AF_INET);
	show_filter(fd);
	set_number("detach filter", fd, SOL_SOCKET, SO_DETACH_FILTER, 1);
	close(fd);
}

static void test_extended_programs(void)
{
	const int program = load_program();

	if (program < 0)
		return;
	try_filter_with_spreading(program);
	try_reuseport_detached(SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program));
	close(program);
	try_extended(SO_ATTACH_BPF, true);
	try_extended(SO_ATTACH_BPF, false);
	try_extended(SO_ATTACH_REUSEPORT_EBPF, true);
}

int main(void)
{
	RUN(test_classic_filters);
	RUN(test_reuseport_programs);
	RUN(test_extended_programs);
	return 0;
}
