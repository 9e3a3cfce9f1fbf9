/* SPDX-License-Identifier: MIT */
/*
 * options_all.c - every option that an unbound socket takes, and its value after bind
 *
 * Tries all levels and option numbers with some values. After each option that the kernel accepts
 * the socket is bound, and all options are printed that differ from those of a socket without any
 * set. With OPTIONS_RAW in the environment options are set by a raw system call, which the library
 * does not see. pair -c compares a run without the library with one with it.
 */
#include "support/pair.h"

#include <netinet/tcp.h>
#include <sys/syscall.h>

#define NAMES       128
#define VALUE_BYTES 64 /* bytes read of each option */

static const int levels[] = {SOL_SOCKET,  IPPROTO_IP,  IPPROTO_IPV6,
                             IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};

static const struct {
	const char *name;
	int domain, type, protocol;
} kinds[] = {
    {"tcp4", AF_INET, SOCK_STREAM, IPPROTO_TCP},
    {"tcp6", AF_INET6, SOCK_STREAM, IPPROTO_TCP},
    {"udp4", AF_INET, SOCK_DGRAM, IPPROTO_UDP},
    {"udp6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
    {"mptcp4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
    {"udplite4", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
};

/* Values for integer options; other types need little more. */
static const struct {
	const void *bytes;
	socklen_t len;
} values[] = {
    {&(const int){0}, 4},
    {&(const int){1}, 4},
    {&(const int){7}, 4},
    {&(const int){70000}, 4},
    {&(const int){-1}, 4},
    {&(const int){40000 | 41000 << 16}, 4},
    {&(const int[2]){1, 5}, 8},
    {&(const int64_t){123456789012}, 8},
    {&(const int64_t[2]){3, 250000}, 16},
    {"lo", 3},
    {"reno", 4},
    {"\x01\x01\x01\x01\x01\x01\x01\x00", 8}, /* IP options: seven no-operations, end of list */
    {"\x00\x00\x01\x04\x00\x00\x00\x00", 8}, /* an IPv6 extension header with padding */
};

struct look {
	int rc;
	socklen_t len;
	unsigned char bytes[VALUE_BYTES];
};

/* Options that contain the time or the identity of the socket. */
static bool is_fleeting(int level, int name)
{
	if (level == SOL_SOCKET) /* cookies, SO_MEMINFO */
		return name == SO_COOKIE || name == SO_NETNS_COOKIE || name == 55;
	if (level == IPPROTO_IP) /* IP_PROTOCOL, which is the port unless the socket is a raw one */
		return name == 52;
	return level == IPPROTO_TCP && (name == TCP_TIMESTAMP || name == TCP_INFO);
}

static struct look look_at(int fd, int level, int name)
{
	struct look look = {.len = VALUE_BYTES};

	look.rc = error_of(getsockopt(fd, level, name, look.bytes, &look.len));
	return look;
}

static int make(size_t kind)
{
	int fd = socket(kinds[kind].domain, kinds[kind].type, kinds[kind].protocol);

	if (fd < 0 && errno != EPROTONOSUPPORT && errno != EACCES && errno != ENOPROTOOPT &&
	    errno != EAFNOSUPPORT)
		FAIL("socket: %s", strerror(errno));
	return fd;
}

static void show(int level, int name, const struct look *look)
{
	printf("    %d %d:", level, name);
	if (look->rc)
		printf(" %s", strerror(look->rc));
	for (socklen_t i = 0; !look->rc && i < look->len && i < VALUE_BYTES; i++)
		printf(" %02x", look->bytes[i]);
	putchar('\n');
}

/* Prints the options of a bound socket that differ from normal. */
static void show_differences(int fd, struct look normal[COUNT(levels)][NAMES])
{
	for (size_t level = 0; level < COUNT(levels); level++) {
		for (int name = 1; name < NAMES; name++) {
			struct look look;

			if (is_fleeting(levels[level], name) ||
			    normal[level][name].rc == ENOPROTOOPT) /* no such option */
				continue;
			look = look_at(fd, levels[level], name);
			if (memcmp(&look, &normal[level][name], sizeof(look)) != 0)
				show(levels[level], name, &look);
		}
	}
}

static int set(int fd, int level, int name, size_t value)
{
	if (getenv("OPTIONS_RAW"))
		return (int)syscall(SYS_setsockopt, fd, level, name, values[value].bytes,
		                    values[value].len);
	return setsockopt(fd, level, name, values[value].bytes, values[value].len);
}

/* fd: an unbound socket without any option set. Return: fd if the option was refused, else a new
 * socket. */
static int try_option(int fd, size_t kind, int level, int name, size_t value,
                      struct look normal[COUNT(levels)][NAMES])
{
	int rc;

	if (set(fd, level, name, value) < 0)
		return fd;
	rc = pair_bind_any(fd, kinds[kind].domain, 0);
	printf("%s: level %d option %d value %zu: bind %s\n", kinds[kind].name, level, name, value,
	       rc < 0 ? strerror(errno) : "ok");
	if (pair_preloaded() && rc == 0 && !pair_is_there(fd))
		FAIL("the socket was not moved");
	show_differences(fd, normal);
	close(fd);
	return make(kind);
}

static void try_kind(size_t kind)
{
	static struct look normal[COUNT(levels)][NAMES];
	int fd = make(kind);

	if (fd < 0)
		return;
	CHECK_EQ(pair_bind_any(fd, kinds[kind].domain, 0), 0);
	for (size_t level = 0; level < COUNT(levels); level++) {
		for (int name = 1; name < NAMES; name++)
			normal[level][name] = look_at(fd, levels[level], name);
	}
	close(fd);
	fd = make(kind);
	for (size_t level = 0; level < COUNT(levels); level++) {
		for (int name = 1; name < NAMES; name++) {
			for (size_t value = 0; value < COUNT(values); value++)
				fd = try_option(fd, kind, levels[level], name, value, normal);
		}
	}
	close(fd);
}

int main(void)
{
	for (size_t kind = 0; kind < COUNT(kinds); kind++)
		try_kind(kind);
	return 0;
}
