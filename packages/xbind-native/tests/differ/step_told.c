/* SPDX-License-Identifier: MIT */
/* step_told.c - other facts about descriptors, and which of them are copies */
#include "differ/differ.h"
#include "support/pair.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ENTRIES 32 /* registrations of a set */

struct entry {
	unsigned fd;
	unsigned events;
	unsigned long long data;
};

static int by_data(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return left->data < right->data ? -1 : left->data > right->data;
}

/* A fired EPOLLONESHOT is not listed there after its socket has moved: xbind(7). */
static bool has_fired(unsigned events)
{
	const uint32_t flags = EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE;

	return events & EPOLLONESHOT && !(events & ~flags);
}

/* Prints the flags of a descriptor, and the registrations of a set. */
static void say_fdinfo(int fd)
{
	char path[64], line[256];
	struct entry entries[ENTRIES], *entry = entries;
	unsigned flags;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "flags: %o", &flags) == 1)
			say(" %o", flags);
		if (sscanf(line, "tfd: %u events: %x data: %llx", &entry->fd, &entry->events,
		           &entry->data) == 3 &&
		    !has_fired(entry->events) && entry < entries + ENTRIES - 1)
			entry++;
	}
	if (file)
		fclose(file);
	qsort(entries, (size_t)(entry - entries), sizeof(*entries), by_data);
	for (struct entry *one = entries; one < entry; one++)
		say(" %u:%x:%llx", one->fd, one->events, one->data);
}

/* Prints for each descriptor the first one that is a copy of it, and the first with the same
 * socket. */
static void say_copies(void)
{
	uint64_t cookies[SLOTS] = {0};
	int self = getpid();

	for (int i = 0; i < SLOTS; i++) {
		int fd = sequence.slots[i], first = 0;

		if (fd < 0)
			continue;
		cookies[i] = pair_socket_cookie(fd);
		while (first < i &&
		       (sequence.slots[first] < 0 ||
		        syscall(SYS_kcmp, self, self, KCMP_FILE, fd, sequence.slots[first]) != 0))
			first++;
		say(" %d:%d", i, first);
		first = 0;
		while (first < i && cookies[first] != cookies[i])
			first++;
		say(":%d", first);
	}
}

static void say_status(int fd)
{
	struct statx status = {0};
	char name[64] = "";
	long rc;

	rc = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status);
	say(" = %ld mask %x size %llu blocks %llu of %u device %u:%u", rc, status.stx_mask,
	    (unsigned long long)status.stx_size, (unsigned long long)status.stx_blocks,
	    status.stx_blksize, status.stx_dev_major, status.stx_dev_minor);
	SAY_CALL(fgetxattr(fd, "system.sockprotoname", name, sizeof(name) - 1));
	say(" %s", name);
	SAY_CALL(flistxattr(fd, name, sizeof(name)));
	SAY_CALL((long)lseek(fd, 0, SEEK_CUR));
}

/* Prints the saved SYN packet, except its numbers, and the amount of unread data. */
static void say_saved(int fd)
{
	uint8_t packet[200];
	socklen_t len = sizeof(packet);
	int unread = 0;

	SAY_CALL(getsockopt(fd, IPPROTO_TCP, 28 /* SAVED_SYN */, packet, &len));
	say(" %d", (int)len);
	if (len >= 20)
		say(" %02x%02x %02x", packet[0], packet[1], packet[8]);
	SAY_CALL(ioctl(fd, FIONREAD, &unread));
	say(" %d", unread);
}

/* Prints its state, and the length and limit of a listener's backlog. */
static void say_connection(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	SAY_CALL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	say(" state %d", info.tcpi_state);
	if (info.tcpi_state == TCP_LISTEN)
		say(" queue %u of %u", info.tcpi_unacked, info.tcpi_sacked);
	if (info.tcpi_state != TCP_ESTABLISHED)
		return;
	say(" options %x scale %u %u", info.tcpi_options, info.tcpi_snd_wscale,
	    info.tcpi_rcv_wscale);
	say(" segments %u %u mtu %u control %d", info.tcpi_advmss, info.tcpi_snd_mss,
	    info.tcpi_pmtu, info.tcpi_ca_state);
	say_saved(fd);
}

/* Prints its buffers, and the memory of its options. */
static void say_memory(int fd)
{
	uint32_t memory[9] = {0};
	socklen_t len = sizeof(memory);

	SAY_CALL(getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, memory, &len));
	say(" %d", (int)len);
	if (is_movable(fd) || port_of(fd) != 0)
		say(" dropped %u", memory[8]);
}

void step_told(void)
{
	int fd = one_in(2) ? a_set() : a_socket();

	switch (below(5)) {
	case 0:
		say("fdinfo of %d", fd);
		say_fdinfo(fd);
		break;
	case 1:
		say("copies");
		say_copies();
		break;
	case 2:
		say("statx of %d", fd);
		say_status(fd);
		break;
	case 3:
		say("connection of %d", fd);
		say_connection(fd);
		break;
	default:
		say("memory of %d", fd);
		say_memory(fd);
	}
}
