/* SPDX-License-Identifier: MIT */
/* carry.c - how an option of each kind is copied to the new socket */
#include "xbind/carry.h"

#include "core/sys.h"
#include "xbind/log.h"
#include "xbind/options.h"
#include "xbind/optlog.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define FILTER_STACK_MAX  64 /* instructions that are copied on the stack */
#define PROGRAM_BYTES_MAX (BPF_MAXINSNS * sizeof(struct sock_filter))

/* The receive and the send queue of TCP_REPAIR_QUEUE, for which not every libc has names. */
#define FIRST_QUEUE 1
#define LAST_QUEUE  2

/* The two sockets of one swap. */
struct carry {
	int old;
	int to;
	socket_key key;
};

/* Setting may need a privilege, which does not matter if the new socket has the value anyway. */
static int carry_plain(const struct carry *carry, const struct option *option)
{
	struct option_value value, now;
	int rc;

	option_read(carry->old, option, &value);
	if (value.error < 0)
		return value.error;
	rc = sys_setsockopt(carry->to, option->level, option->name, value.bytes, value.len);
	if (rc < 0)
		option_read(carry->to, option, &now);
	return rc < 0 && option_is_same(&now, &value) ? 0 : rc;
}

static int set_int(int fd, int level, int name, int value)
{
	return sys_setsockopt(fd, level, name, &value, sizeof(value));
}

/* The kernel limits SO_RCVLOWAT to half of tcp_rmem's maximum, or to half of the buffer once that
 * was set. So it is set again after the buffer. */
static void raise_mark(const struct carry *carry)
{
	const int mark = option_number(carry->old, SOL_SOCKET, SO_RCVLOWAT);
	const int size = option_number(carry->to, SOL_SOCKET, SO_RCVBUF);

	if (mark <= size / 2 && option_number(carry->to, SOL_SOCKET, SO_RCVLOWAT) != mark)
		set_int(carry->to, SOL_SOCKET, SO_RCVLOWAT, mark);
}

static int set_buffer(const struct carry *carry, const struct option *option, int size)
{
	set_int(carry->to, option->level, option->name, size / 2);
	if (option_number(carry->to, option->level, option->name) == size)
		return 0;
	/* Above the limit by sysctl: somebody privileged has set it, and perhaps we may, too. */
	return set_int(carry->to, option->level, option->other, size / 2);
}

/*
 * SO_RCVLOWAT, carried over before, grows an unlocked receive buffer as far as needed, and the
 * target's default may be larger anyway. A locked buffer is always set: qemu-user can read the lock
 * but not set it.
 */
static bool is_large_enough(const struct carry *carry, const struct option *option, int size)
{
	const int now = option_number(carry->to, option->level, option->name);
	const int lock = option->name == SO_SNDBUF ? 1 : 2;
	const int locked = sys_getsockopt_int(carry->old, SOL_SOCKET, SO_BUF_LOCK_);

	if (locked > 0 && locked & lock)
		return false;
	if (now == size)
		return true;
	return locked >= 0 && now > size && option->name == SO_RCVBUF &&
	       option_number(carry->old, SOL_SOCKET, SO_RCVLOWAT) > 1;
}

static int carry_buffer(const struct carry *carry, const struct option *option)
{
	const int size = sys_getsockopt_int(carry->old, option->level, option->name);
	int rc;

	if (size < 0)
		return size;
	if (is_large_enough(carry, option, size))
		return 0;
	rc = set_buffer(carry, option, size);
	if (option->name == SO_RCVBUF)
		raise_mark(carry);
	return rc;
}

static int carry_time(const struct carry *carry, const struct option *option)
{
	struct {
		int64_t seconds;
		int64_t microseconds;
	} time = {0};
	socklen_t len = sizeof(time);
	int rc = sys_getsockopt(carry->old, option->level, option->name, &time, &len);

	if (rc < 0)
		return rc;
	if (time.seconds == 0 && time.microseconds == 0)
		time.seconds = -1; /* it was set but reads as none, so it is negative */
	return sys_setsockopt(carry->to, option->level, option->name, &time, len);
}

static int carry_linger(const struct carry *carry, const struct option *option)
{
	struct linger linger = {0};
	socklen_t len = sizeof(linger);
	int rc = sys_getsockopt(carry->old, option->level, option->name, &linger, &len);
	const struct linger on = {.l_onoff = 1, .l_linger = linger.l_linger};

	if (rc == 0)
		rc = sys_setsockopt(carry->to, option->level, option->name, &on, sizeof(on));
	if (rc == 0 && !linger.l_onoff)
		rc =
		    sys_setsockopt(carry->to, option->level, option->name, &linger, sizeof(linger));
	return rc;
}

/* Sets it, unless an earlier option has given it this value already. */
static int carry_effect(const struct carry *carry, const struct option *option)
{
	struct option_value value, now;

	option_read(carry->old, option, &value);
	if (value.error < 0)
		return option_is_hidden(value.error) ? value.error : 0;
	option_read(carry->to, option, &now);
	if (option_is_same(&now, &value))
		return 0;
	return sys_setsockopt(carry->to, option->level, option->name, value.bytes, value.len);
}

/* Chooses each queue on both sockets in turn, and restores the old one's choice, which is carried
 * over after this. */
static int carry_queues(const struct carry *carry, const struct option *option)
{
	const int chosen = sys_getsockopt_int(carry->old, option->level, TCP_REPAIR_QUEUE);
	int rc = 0;

	if (chosen < 0)
		return chosen;
	for (int queue = FIRST_QUEUE; rc == 0 && queue <= LAST_QUEUE; queue++) {
		set_int(carry->old, option->level, TCP_REPAIR_QUEUE, queue);
		set_int(carry->to, option->level, TCP_REPAIR_QUEUE, queue);
		rc = carry_plain(carry, option);
	}
	set_int(carry->old, option->level, TCP_REPAIR_QUEUE, chosen);
	return rc;
}

static int carry_headers(const struct carry *carry, const struct option *option)
{
	uint8_t bytes[OPTION_HEADERS_BYTES_MAX];
	socklen_t len = option->bytes;
	int rc = sys_getsockopt(carry->old, option->level, option->name, bytes, &len);

	if (rc < 0 || len == 0)
		return option_is_hidden(rc) ? rc : 0;
	return sys_setsockopt(carry->to, option->level, option->name, bytes, len);
}

/* Return: -EINVAL also where the old socket's filter has no room in program. */
static int copy_filter(const struct carry *carry, struct sock_filter *program, socklen_t room)
{
	socklen_t count = room; /* instructions, not bytes */
	struct sock_fprog filter = {.filter = program};
	int rc;

	program->code = UINT16_MAX; /* refused if qemu-user writes only one byte of it */
	rc = sys_getsockopt(carry->old, SOL_SOCKET, SO_GET_FILTER, program, &count);
	if (rc < 0 || count == 0)
		return rc;
	filter.len = (unsigned short)count;
	return sys_setsockopt(carry->to, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

/* Room for any program. By libc's mmap(3): the system call is not the same on every processor. */
static struct sock_filter *map_program(void)
{
	const int saved = errno;
	void *map = mmap(NULL, PROGRAM_BYTES_MAX, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = saved;
	return map;
}

static int carry_filter(const struct carry *carry)
{
	/* Initialised for Memcheck, which believes that SO_GET_FILTER writes one byte for each
	 * instruction. */
	struct sock_filter program[FILTER_STACK_MAX] = {{0}}, *map;
	int rc = copy_filter(carry, program, FILTER_STACK_MAX);

	if (rc == -EACCES) /* an extended filter */
		return optlog_replay_filter(carry->key, carry->to);
	if (rc != -EINVAL)
		return rc;
	map = map_program();
	if (map == MAP_FAILED)
		return -ENOMEM;
	rc = copy_filter(carry, map, BPF_MAXINSNS);
	SYS_CALL(SYS_munmap, (long)map, PROGRAM_BYTES_MAX);
	return rc;
}

static int carry_one(const struct carry *carry, const struct option *option)
{
	switch ((enum option_how)option->how) {
	case OPTION_TIME:
		return carry_time(carry, option);
	case OPTION_LINGER:
		return carry_linger(carry, option);
	case OPTION_BUFFER:
		return carry_buffer(carry, option);
	case OPTION_EFFECT:
	case OPTION_PRIORITY:
		return carry_effect(carry, option);
	case OPTION_QUEUES:
		return carry_queues(carry, option);
	case OPTION_HEADERS:
		return carry_headers(carry, option);
	case OPTION_RECORDS:
		return optlog_replay(carry->key, carry->old, carry->to);
	case OPTION_FILTER:
		return carry_filter(carry);
	default: /* survey.c lets no option through that cannot be read */
		return carry_plain(carry, option);
	}
}

/* What MPTCP takes without a look before the first subflow: later, some congestion controls need a
 * privilege, and the numbers must be in TCP's range. */
static void carry_unchecked(const struct carry *carry, const struct survey *survey)
{
	static const int names[] = {TCP_CONGESTION, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const int row = option_find(IPPROTO_TCP, names[i]);

		if (survey->is_set[row])
			carry_plain(carry, &options[row]);
	}
}

int carry_options(int old, int to, socket_key key, const struct survey *survey)
{
	const struct carry carry = {.old = old, .to = to, .key = key};

	if (survey->has_subflow) {
		carry_unchecked(&carry, survey);
		/* To 0 this creates the first subflow and changes nothing else. */
		set_int(to, SOL_SOCKET, SO_REUSEADDR, 0);
	}
	for (int row = 0; row < OPTIONS_COUNT; row++) {
		const struct option *option = &options[row];
		int rc = survey->is_set[row] ? carry_one(&carry, option) : 0;

		if (rc < 0 && option->flags & OPTION_SAFETY)
			return rc;
		log_option_lost(old, option->level, option->name, rc);
	}
	return 0;
}
