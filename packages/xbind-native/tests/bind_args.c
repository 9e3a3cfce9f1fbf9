/* SPDX-License-Identifier: MIT */
/*
 * bind_args.c - bind with every sort of descriptor, address and length
 *
 * Prints the result of bind, the namespace of the socket afterwards, and its name; pair -c compares
 * a run without the library with one with it.
 */
#include "support/pair.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#define PORT 3000 /* listed */
#define PAGE 4096

static unsigned char *pages; /* a readable page, then one that is not */

struct address {
	const char *what;
	const void *at;
	socklen_t len;
};

static struct sockaddr_in loopback4(sa_family_t family)
{
	struct sockaddr_in addr = pair_addr(PORT);

	addr.sin_family = family;
	return addr;
}

/* Copies addr so that the last bytes of len, as many as given, are on the unreadable page. */
static void *across(const void *addr, size_t len, size_t unreadable)
{
	unsigned char *at = pages + PAGE - (len - unreadable);

	memcpy(at, addr, len - unreadable);
	return at;
}

static int connected(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	CHECK_EQ(pair_connect(fd, 9), 0);
	return fd;
}

static int bound6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	CHECK_EQ(pair_bind_any(fd, AF_INET6, 5), 0);
	return fd;
}

static int bound4(void)
{
	int fd = pair_socket(SOCK_STREAM);

	CHECK_EQ(pair_bind(fd, 7), 0);
	return fd;
}

static int listening(void)
{
	int fd = bound4();

	CHECK_EQ(listen(fd, 1), 0);
	return fd;
}

static int closed(void)
{
	int fd = pair_socket(SOCK_DGRAM);

	close(fd);
	return fd;
}

static int half_of_pipe(void)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	close(fds[1]);
	return fds[0];
}

static int path(void)
{
	return open("/", O_PATH);
}

static int directory(void)
{
	return open("/", O_RDONLY);
}

static int epoll_set(void)
{
	return epoll_create1(0);
}

/* A datagram socket whose port, an identifier, is not one of UDP. */
static int ping(void)
{
	return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static int minus(void)
{
	return -1;
}

/* A fresh socket, or what make() returns. */
static const struct sort {
	const char *what;
	int domain, type;
	int (*make)(void);
} sorts[] = {
    {"tcp4", AF_INET, SOCK_STREAM, NULL},
    {"tcp6", AF_INET6, SOCK_STREAM, NULL},
    {"udp4", AF_INET, SOCK_DGRAM, NULL},
    {"udp6", AF_INET6, SOCK_DGRAM, NULL},
    {"unix", AF_UNIX, SOCK_STREAM, NULL},
    {"ping", 0, 0, ping},
    {"pipe", 0, 0, half_of_pipe},
    {"O_PATH", 0, 0, path},
    {"directory", 0, 0, directory},
    {"epoll", 0, 0, epoll_set},
    {"closed", 0, 0, closed},
    {"minus", 0, 0, minus},
    {"bound4", 0, 0, bound4},
    {"bound6", 0, 0, bound6},
    {"connected", 0, 0, connected},
    {"listening", 0, 0, listening},
};

static void show_name(int fd)
{
	struct sockaddr_in6 name = {0};
	socklen_t len = sizeof(name);
	unsigned char *bytes = (unsigned char *)&name;

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0) {
		printf(" no name");
		return;
	}
	printf(" name");
	for (socklen_t i = 0; i < len && i < sizeof(name); i++)
		printf(" %02x", bytes[i]);
}

static void try(const struct sort *sort, const struct address *address)
{
	int fd = sort->make ? sort->make() : socket(sort->domain, sort->type, 0);
	int rc;

	errno = 77;
	rc = bind(fd, address->at, address->len);
	printf("%s, %s, %u bytes: %d, errno %d", sort->what, address->what, address->len, rc,
	       errno);
	if (sort->make != connected) /* whose port the kernel chooses */
		show_name(fd);
	if (rc == 0 && sort->domain != AF_UNIX && sort->make != ping && pair_port(fd) == PORT)
		printf(" there %d", pair_is_there(fd));
	putchar('\n');
	if (fd >= 0)
		close(fd);
}

static void try_all(const struct address *address)
{
	for (size_t i = 0; i < COUNT(sorts); i++)
		try(&sorts[i], address);
}

static void try_lengths(const char *what, const void *at)
{
	for (socklen_t len = 0; len <= 32; len++)
		try_all(&(struct address){what, at, len});
	try_all(&(struct address){what, at, 110});
	try_all(&(struct address){what, at, sizeof(struct sockaddr_storage)});
	try_all(&(struct address){what, at, sizeof(struct sockaddr_storage) + 1});
	try_all(&(struct address){what, at, 1 << 30});
	try_all(&(struct address){what, at, (socklen_t)-1});
}

static void try_families(void)
{
	struct sockaddr_storage room = {0};

	for (int family = 0; family < 46; family++) {
		struct sockaddr_in addr = loopback4((sa_family_t)family);

		memcpy(&room, &addr, sizeof(addr));
		try_all(&(struct address){"family", &room, sizeof(addr)});
		try_all(&(struct address){"family", &room, sizeof(struct sockaddr_in6)});
	}
}

static void try_unreadable(void)
{
	struct sockaddr_in in = loopback4(AF_INET);
	struct sockaddr_in6 in6 = pair_addr6(PORT);

	for (size_t missing = 0; missing <= sizeof(in); missing++)
		try_all(&(struct address){"half readable", across(&in, sizeof(in), missing),
		                          sizeof(in)});
	for (size_t missing = 0; missing <= sizeof(in6); missing++)
		try_all(&(struct address){"half readable", across(&in6, sizeof(in6), missing),
		                          sizeof(in6)});
	try_all(&(struct address){"wild", (const void *)-1L, sizeof(in)});
	try_all(&(struct address){"wild", (const void *)8, sizeof(in)});
}

static void try_any(void)
{
	struct sockaddr_in any = {.sin_family = AF_UNSPEC, .sin_port = htons(PORT)};
	struct sockaddr_in elsewhere = {
	    .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(0x0a090807)};

	try_all(&(struct address){"unspecified", &any, sizeof(any)});
	try_all(&(struct address){"not a local one", &elsewhere, sizeof(elsewhere)});
}

static char dir[] = "/tmp/xsocket-args-XXXXXX";

/* With an AF_UNIX socket the bytes of an address name a file, too. */
static void leave_dir(void)
{
	DIR *entries = opendir(".");

	for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries))
		unlink(entry->d_name);
	closedir(entries);
	CHECK_EQ(rmdir(dir), 0);
}

int main(void)
{
	static struct sockaddr_storage four, six;
	struct sockaddr_in in = loopback4(AF_INET);
	struct sockaddr_in6 in6 = pair_addr6(PORT);
	unsigned char shifted[sizeof(in6) + 1];

	test_needs_ipv6();
	CHECK(mkdtemp(dir));
	CHECK_EQ(chdir(dir), 0);
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pages != MAP_FAILED);
	CHECK_EQ(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	memcpy(&four, &in, sizeof(in));
	memcpy(&six, &in6, sizeof(in6));
	memcpy(shifted + 1, &in6, sizeof(in6));
	try_lengths("NULL", NULL);
	try_lengths("IPv4", &four);
	try_lengths("IPv6", &six);
	try_all(&(struct address){"misaligned", shifted + 1, sizeof(in6)});
	try_families();
	try_unreadable();
	try_any();
	leave_dir();
	return 0;
}
