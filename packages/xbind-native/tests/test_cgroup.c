/* SPDX-License-Identifier: MIT */
/*
 * test_cgroup.c - a program under BPF programs of its cgroup: a moved socket is in the server's
 *
 * One sets device, mark and priority of new sockets, as `ip vrf exec` does. Such values count as
 * defaults and are not carried over; what the program sets itself is, even if it is the same value.
 * Another one drops what is sent, as IPAddressDeny= of a systemd unit does.
 */
#include "support/bpf.h"
#include "support/pair.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MARK     7
#define PRIORITY 3
#define LO       1 /* interface index of lo in every namespace */

static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
static char group[64]; /* a directory */

/* Two instructions that store a number in the socket. */
#define STORE(number, member)                                                                      \
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = (number)},              \
	{                                                                                          \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_2,     \
		.off = offsetof(struct bpf_sock, member)                                           \
	}

/* A program that gives each new socket a device, a mark and a priority. */
static int load_marker(void)
{
	struct bpf_insn code[] = {
	    STORE(LO, bound_dev_if),
	    STORE(MARK, mark),
	    STORE(PRIORITY, priority),
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
	    {.code = BPF_JMP | BPF_EXIT},
	};

	return load_code(BPF_PROG_TYPE_CGROUP_SOCK, code, COUNT(code));
}

static int load_dropper(void)
{
	struct bpf_insn code[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};

	return load_code(BPF_PROG_TYPE_CGROUP_SKB, code, COUNT(code));
}

static bool attach(int program, enum bpf_attach_type type)
{
	union bpf_attr attr;
	int dir = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long rc;

	memset(&attr, 0, sizeof(attr));
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = type;
	attr.target_fd = (uint32_t)dir;
	rc = syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
	close(dir);
	return rc == 0;
}

static bool make_group(void)
{
	for (size_t i = 0; i < COUNT(roots); i++) {
		snprintf(group, sizeof(group), "%s/xsocket-test-%d", roots[i], (int)getpid());
		if (mkdir(group, 0755) == 0)
			return true;
	}
	return false;
}

static bool enter_group(void)
{
	int dir = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	bool entered = write(fd, "0", 1) == 1;

	close(fd);
	close(dir);
	return entered;
}

static void check(int fd, const char *device, int mark, int priority)
{
	char name[16] = "";

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &(socklen_t){sizeof(name)}), 0);
	CHECK(strcmp(name, device) == 0);
	CHECK_EQ(pair_option(fd, SOL_SOCKET, SO_MARK), mark);
	CHECK_EQ(pair_option(fd, SOL_SOCKET, SO_PRIORITY), priority);
}

static void bind_in_group(void)
{
	int unset = pair_socket(SOCK_STREAM), set = pair_socket(SOCK_STREAM);
	int cleared = pair_socket(SOCK_STREAM);

	/* The defaults are learnt with the first socket that moves, whatever it has itself. */
	CHECK_EQ(setsockopt(cleared, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	CHECK(pair_binds_there(cleared, 3002));
	check(unset, "lo", MARK, PRIORITY);
	CHECK_EQ(pair_bind(unset, 3000), 0);
	if (pair_preloaded())
		check(unset, "", 0, 0);
	else
		check(unset, "lo", MARK, PRIORITY);
	CHECK_EQ(setsockopt(set, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	CHECK_EQ(pair_set(set, SOL_SOCKET, SO_MARK, MARK), 0);
	CHECK_EQ(pair_set(set, SOL_SOCKET, SO_PRIORITY, PRIORITY), 0);
	CHECK(pair_binds_there(set, 3001));
	check(set, "lo", MARK, PRIORITY);
}

/* xbind(7), CAVEATS: limits of the program's own unit do not hold for a moved socket. */
static void send_in_group(void)
{
	int moved = pair_socket(SOCK_DGRAM), unbound = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_bind(moved, 3000), 0);
	CHECK_FAILS(pair_send(unbound, 3000), EPERM);
	CHECK_EQ(error_of(pair_send(moved, 3000)), pair_preloaded() ? 0 : EPERM);
}

static void run_in_group(int program, enum bpf_attach_type type, void (*act)(void))
{
	int status = 0;
	pid_t child;

	if (program < 0)
		test_skip("bpf(2) is refused, as to an ordinary user or in a container");
	if (!make_group())
		test_skip("no cgroup of version 2 can be made");
	child = attach(program, type) ? fork() : -1;
	if (child == 0) {
		CHECK(enter_group());
		act();
		exit(0);
	}
	waitpid(child, &status, 0);
	rmdir(group);
	close(program);
	if (child < 0)
		test_skip("no program can be attached to a cgroup");
	CHECK_EQ(status, 0);
}

static void test_same_as_given(void)
{
	run_in_group(load_marker(), BPF_CGROUP_INET_SOCK_CREATE, bind_in_group);
}

static void test_limits_of_the_group(void)
{
	run_in_group(load_dropper(), BPF_CGROUP_INET_EGRESS, send_in_group);
}

int main(void)
{
	RUN(test_same_as_given);
	RUN(test_limits_of_the_group);
	return 0;
}
