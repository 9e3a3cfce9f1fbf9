/* SPDX-License-Identifier: MIT */
/*
 * test_memcheck.c - the library causes no reports of Valgrind
 *
 * The library must read only the values themselves, on the stack and in heap blocks, and not the
 * rest of their pages. An address that cannot be read still gives EFAULT.
 */
#include "support/forbid.h"
#include "support/pair.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <sys/mman.h>

static void join(int fd, struct ip_mreqn *group)
{
	inet_pton(AF_INET, "239.1.2.3", &group->imr_multiaddr);
	group->imr_ifindex = 1;
	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, sizeof(*group)), 0);
}

static void bind_by(struct sockaddr_in *addr, struct ip_mreqn *group)
{
	int fd = pair_socket(SOCK_DGRAM);

	join(fd, group);
	addr->sin_family = AF_INET;
	addr->sin_port = htons(3000);
	CHECK_EQ(bind(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	CHECK(pair_is_there(fd));
	close(fd);
}

static void test_stack(void)
{
	struct sockaddr_in addr = {0};
	struct ip_mreqn group = {0};

	bind_by(&addr, &group);
}

static void test_heap(void)
{
	struct sockaddr_in *addr = calloc(1, sizeof(*addr));
	struct ip_mreqn *group = calloc(1, sizeof(*group));

	bind_by(addr, group);
	free(addr);
	free(group);
}

/* Static, so that padding is initialised. */
static struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
static struct sock_fprog filter = {.len = 1, .filter = code};

static void test_filters(void)
{
	static const int names[] = {SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF};
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, names[i], &filter, sizeof(filter)), 0);
	CHECK(pair_binds_there(fd, 3000));
	close(fd);
}

/* As with a kernel before 5.14, or one with larger pages. */
static void test_without_advice(void)
{
	forbid(SYS_madvise);
	test_stack();
	test_heap();
}

static void test_unreadable(void)
{
	int fd = pair_socket(SOCK_DGRAM);
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	CHECK_FAILS(bind(fd, page, sizeof(struct sockaddr_in)), EFAULT);
	munmap(page, 4096);
	close(fd);
}

int main(int argc, char **argv)
{
	(void)argv;
	RUN(test_stack);
	RUN(test_heap);
	RUN(test_filters);
	RUN(test_without_advice);
	if (argc > 1) /* Memcheck rightly reports it */
		RUN(test_unreadable);
	return 0;
}
