/* SPDX-License-Identifier: MIT */
/* slots.c - the descriptors and addresses that steps choose from */
#include "differ/differ.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 12

bool is_socket(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool is_set(int fd)
{
	char path[32], link[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link) - 1);
	return len > 0 && (link[len] = '\0', strstr(link, "eventpoll"));
}

static bool is_inet(int fd)
{
	const int domain = option_of(fd, SOL_SOCKET, SO_DOMAIN, AF_UNSPEC);

	return domain == AF_INET || domain == AF_INET6;
}

bool is_movable(int fd)
{
	return is_inet(fd) && (option_of(fd, IPPROTO_IP, IP_PROTOCOL_, 1) == 0 || port_of(fd) == 0);
}

/* A socket that has not moved: where the namespaces differ, it has other defaults. */
bool has_other_defaults(int fd)
{
	return sequence.there && is_inet(fd) && port_of(fd) == 0;
}

int a_fd(void)
{
	for (int i = 0; i < TRIES; i++) {
		int fd = sequence.slots[below(SLOTS)];

		if (fd >= 0)
			return fd;
	}
	return -1;
}

static int one_that(bool (*is_it)(int fd))
{
	static const int odd[] = {INT_MAX, INT_MIN, 1 << 20, 1024, -2};
	int fd = one_in(40) ? sequence.slots[below(SLOTS)] : a_fd();

	if (one_in(200))
		return ONE_OF(odd);
	for (int i = 0; i < TRIES && !one_in(40) && !is_it(fd); i++)
		fd = a_fd();
	return fd;
}

int a_socket(void)
{
	return one_that(is_socket);
}

int a_set(void)
{
	return one_that(is_set);
}

/* If a number is closed while the socket has another one, its registration is lost: xbind(7). */
void leave_sets(int fd)
{
	for (int i = 0; i < SLOTS; i++) {
		if (is_set(sequence.slots[i]))
			epoll_ctl(sequence.slots[i], EPOLL_CTL_DEL, fd, NULL);
	}
}

void drop(int fd)
{
	if (!sequence.held)
		leave_sets(fd);
	for (int i = 0; i < SLOTS; i++) {
		if (sequence.slots[i] == fd)
			sequence.slots[i] = -1;
	}
	if (!sequence.held)
		close(fd);
}

void keep(int fd)
{
	int place = (int)below(SLOTS);

	if (fd < 0)
		return;
	for (int i = 0; i < SLOTS; i++) {
		if (sequence.slots[i] == fd)
			return;
	}
	for (int i = 0; i < SLOTS && sequence.slots[place] >= 0; i++)
		place = (place + 1) % SLOTS;
	if (sequence.slots[place] >= 0)
		drop(sequence.slots[place]);
	sequence.slots[place] = fd;
}
