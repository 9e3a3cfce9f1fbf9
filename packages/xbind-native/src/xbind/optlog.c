/* SPDX-License-Identifier: MIT */
/*
 * optlog.c - the table of records
 *
 * How it works: everything happens under one lock with the signals of the thread blocked, so that
 * no handler finds the table half changed. The keys lie apart from the records: a look for a
 * socket's records reads little memory, and a record counts only once its key is written. A program
 * that is given as a descriptor is kept as a copy of that descriptor under a high number, and its
 * id beside it: the host may close what it does not know, and the number then means another file.
 */
#include "xbind/optlog.h"

#include "core/sys.h"
#include "xbind/kind.h"
#include "xbind/lock.h"
#include "xbind/log.h"
#include "xbind/memory.h"
#include "xbind/options.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#define LOCK_WAIT_MS 1000 /* milliseconds; far longer than anybody holds it */
#define KEPT_FD_MIN  512  /* where numbers of kept programs start, if the limit allows */
#define KEPT_MAX     16   /* kept programs before we look which of their sockets are gone */
#define NOWHERE      (-1)

struct record {
	uint64_t order;
	int process; /* who has recorded it */
	int fd;      /* the number that the socket had */
	int kept;    /* OPTION_LAST_FD: our copy of the descriptor */
	uint32_t id; /* OPTION_LAST_FD: the id of the program */
	uint32_t len;
	int16_t row;
	int16_t large; /* index of its bytes among the large ones, NOWHERE when they are here */
	uint8_t bytes[OPTLOG_BYTES];
};

static socket_key keys[OPTLOG_RECORDS];
static struct record records[OPTLOG_RECORDS];
static _Atomic size_t used; /* no record from here on */
static uint64_t last_order;
static unsigned kept_count;

static uint8_t large_bytes[OPTLOG_LARGE][OPTLOG_LARGE_BYTES];
static bool large_taken[OPTLOG_LARGE];

static _Atomic socket_key lost[OPTLOG_LOST];
static _Atomic unsigned lost_count;

static _Atomic int holder;

struct guard {
	uint64_t signals;
	bool held;
};

static struct guard enter(void)
{
	struct guard guard = {.signals = sys_block_signals()};

	guard.held = lock_take(&holder, LOCK_WAIT_MS);
	return guard;
}

static void leave(const struct guard *guard)
{
	if (guard->held)
		lock_give(&holder);
	sys_restore_signals(guard->signals);
}

static void lose(socket_key key)
{
	lost[atomic_fetch_add(&lost_count, 1) % OPTLOG_LOST] = key;
}

static bool is_lost(socket_key key)
{
	for (int i = 0; atomic_load(&lost_count) > 0 && i < OPTLOG_LOST; i++) {
		if (atomic_load(&lost[i]) == key)
			return true;
	}
	return false;
}

static uint8_t *bytes_of(struct record *record)
{
	return record->large == NOWHERE ? record->bytes : large_bytes[record->large];
}

/* The id of a program by its descriptor, 0 for anything else. */
static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {
	    .info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uintptr_t)&info},
	};

	if (sys_call(SYS_bpf, (const long[6]){BPF_OBJ_GET_INFO_BY_FD, (long)&attr, sizeof(attr)}) <
	    0)
		return 0;
	return info.id;
}

static void forget(size_t at)
{
	struct record *record = &records[at];

	if (record->kept >= 0) {
		kept_count--;
		if (program_id(record->kept) == record->id)
			sys_close(record->kept);
	}
	if (record->large != NOWHERE)
		large_taken[record->large] = false;
	keys[at] = KEY_NONE;
	while (used > 0 && keys[used - 1] == KEY_NONE)
		used--;
}

/* The latest record of this row that has these bytes (any bytes for NULL), or OPTLOG_RECORDS. */
static size_t find(socket_key key, int row, const void *bytes, size_t len)
{
	for (size_t i = used; i-- > 0;) {
		struct record *record = &records[i];

		if (keys[i] != key || record->row != row)
			continue;
		if (!bytes || (record->len == len && memcmp(bytes_of(record), bytes, len) == 0))
			return i;
	}
	return OPTLOG_RECORDS;
}

static bool forget_like(socket_key key, int row, const void *bytes, size_t len)
{
	size_t at = row < 0 ? OPTLOG_RECORDS : find(key, row, bytes, len);

	if (at == OPTLOG_RECORDS)
		return false;
	forget(at);
	return true;
}

/* Records of sockets that are gone, or bound and will not move any more, make place. */
static void sweep(void)
{
	for (size_t i = used; i-- > 0;) {
		int fd = records[i].fd;

		if (keys[i] != KEY_NONE && (key_of(fd) != keys[i] || !kind_is_unbound(fd)))
			forget(i);
	}
}

static size_t free_place(void)
{
	for (size_t i = 0; i < OPTLOG_RECORDS; i++) {
		if (keys[i] == KEY_NONE)
			return i;
	}
	return OPTLOG_RECORDS;
}

static int16_t take_large(size_t len)
{
	for (int16_t i = 0; len <= OPTLOG_LARGE_BYTES && i < OPTLOG_LARGE; i++) {
		if (large_taken[i])
			continue;
		large_taken[i] = true;
		return i;
	}
	return NOWHERE;
}

static size_t place_for(size_t len, int16_t *ret_large)
{
	size_t at = used < OPTLOG_RECORDS ? used : free_place();

	*ret_large = NOWHERE;
	if (len > OPTLOG_BYTES) {
		*ret_large = take_large(len);
		if (*ret_large == NOWHERE)
			return OPTLOG_RECORDS;
	}
	return at;
}

/* Adds a record with room for len bytes. Return: its index, OPTLOG_RECORDS when there is none. */
static size_t add(int fd, socket_key key, int row, size_t len)
{
	int16_t large;
	size_t at = place_for(len, &large);

	if (at == OPTLOG_RECORDS) {
		if (large != NOWHERE)
			large_taken[large] = false;
		sweep();
		at = place_for(len, &large);
	}
	if (at == OPTLOG_RECORDS)
		return at;
	records[at] = (struct record){
	    .order = ++last_order,
	    .process = sys_getpid(),
	    .fd = fd,
	    .kept = -1,
	    .len = (uint32_t)len,
	    .row = (int16_t)row,
	    .large = large,
	};
	keys[at] = key;
	if (at >= used)
		used = at + 1;
	return at;
}

static int copy_value(void *to, const void *from, size_t len)
{
	if (len >= MEMORY_READ_MIN)
		return memory_read(to, from, len);
	memcpy(to, from, len); /* the kernel has read it */
	return 0;
}

static void add_value(int fd, socket_key key, int row, const void *value, size_t len)
{
	size_t at = add(fd, key, row, len);

	if (at == OPTLOG_RECORDS) {
		lose(key);
	} else if (copy_value(bytes_of(&records[at]), value, len) < 0) {
		forget(at);
		lose(key);
	}
}

static void add_program(int fd, socket_key key, int row, const void *value)
{
	struct sock_fprog program;

	if (memory_read(&program, value, sizeof(program)) < 0)
		lose(key);
	else
		add_value(fd, key, row, program.filter, program.len * sizeof(*program.filter));
}

static void add_fd(int fd, socket_key key, int row, const void *value)
{
	int program;
	size_t at;

	if (kept_count >= KEPT_MAX)
		sweep();
	at = add(fd, key, row, 0);
	if (at == OPTLOG_RECORDS) {
		lose(key);
		return;
	}
	memcpy(&program, value, sizeof(program));
	records[at].id = program_id(program);
	records[at].kept = sys_fcntl(program, F_DUPFD_CLOEXEC, KEPT_FD_MIN);
	if (records[at].kept < 0)
		records[at].kept = sys_fcntl(program, F_DUPFD_CLOEXEC, 0);
	kept_count += records[at].kept >= 0;
}

/* A socket has one program that spreads connections, of one sort or the other. */
static void forget_reuseport(socket_key key)
{
	forget_like(key, option_find(SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF), NULL, 0);
	forget_like(key, option_find(SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF), NULL, 0);
}

static void note_undo(int fd, socket_key key, int row, const void *value, size_t len)
{
	const struct option *option = &options[row];
	uint8_t bytes[OPTLOG_BYTES];

	if (option->name == SO_DETACH_REUSEPORT_BPF && option->level == SOL_SOCKET) {
		forget_reuseport(key);
		return;
	}
	if (len > sizeof(bytes) || copy_value(bytes, value, len) < 0)
		lose(key);
	else if (!forget_like(key, option_find(option->level, option->other), bytes, len))
		add_value(fd, key, row, value, len);
}

static bool is_policy(int row)
{
	const struct option *option = &options[row];

	if (option->level == IPPROTO_IP)
		return option->name == IP_IPSEC_POLICY || option->name == IP_XFRM_POLICY;
	return option->level == IPPROTO_IPV6 &&
	       (option->name == IPV6_IPSEC_POLICY || option->name == IPV6_XFRM_POLICY);
}

/* Without a value the four names of one thing take all policies away. */
static void forget_policies(socket_key key)
{
	for (size_t i = used; i-- > 0;) {
		if (keys[i] == key && is_policy(records[i].row))
			forget(i);
	}
}

static void note(int fd, socket_key key, int row, const void *value, size_t len)
{
	switch ((enum option_how)options[row].how) {
	case OPTION_UNDO:
		note_undo(fd, key, row, value, len);
		break;
	case OPTION_LAST:
		forget_like(key, row, NULL, 0);
		add_value(fd, key, row, value, len);
		break;
	case OPTION_LAST_PROG:
		forget_reuseport(key);
		add_program(fd, key, row, value);
		break;
	case OPTION_LAST_FD:
		if (options[row].name == SO_ATTACH_BPF)
			forget_like(key, row, NULL, 0);
		else
			forget_reuseport(key);
		add_fd(fd, key, row, value);
		break;
	default:
		if (is_policy(row) && len == 0)
			forget_policies(key);
		else
			add_value(fd, key, row, value, len);
	}
}

void optlog_note(int fd, socket_key key, int row, const void *value, socklen_t len)
{
	size_t kernel_len = len < options[row].bytes ? len : options[row].bytes;
	struct guard guard;
	struct kind kind;

	if (key == KEY_NONE || kind_read(fd, &kind) != 0)
		return;
	guard = enter();
	if (guard.held)
		note(fd, key, row, value, kernel_len);
	else
		lose(key);
	leave(&guard);
}

static int set_again(struct record *record, int to)
{
	const struct option *option = &options[record->row];
	struct sock_fprog program;

	switch ((enum option_how)option->how) {
	case OPTION_LAST_FD:
		if (record->kept < 0 || record->id == 0 || program_id(record->kept) != record->id)
			return -EACCES;
		return sys_setsockopt(to, option->level, option->name, &record->kept,
		                      sizeof(record->kept));
	case OPTION_LAST_PROG:
		program.len = (unsigned short)(record->len / sizeof(struct sock_filter));
		program.filter = (void *)bytes_of(record);
		return sys_setsockopt(to, option->level, option->name, &program, sizeof(program));
	default:
		return sys_setsockopt(to, option->level, option->name, bytes_of(record),
		                      record->len);
	}
}

static bool is_filter(const struct record *record)
{
	return options[record->row].level == SOL_SOCKET &&
	       options[record->row].name == SO_ATTACH_BPF;
}

/* The socket's next record in the order in which they were set, or OPTLOG_RECORDS. */
static size_t next(socket_key key, uint64_t order)
{
	size_t best = OPTLOG_RECORDS;

	for (size_t i = 0; i < used; i++) {
		if (keys[i] == key && records[i].order > order &&
		    (best == OPTLOG_RECORDS || records[i].order < records[best].order))
			best = i;
	}
	return best;
}

static int replay(socket_key key, int old, int to)
{
	uint64_t order = 0;
	size_t at;

	while ((at = next(key, order)) != OPTLOG_RECORDS) {
		const struct option *option = &options[records[at].row];
		int rc = is_filter(&records[at]) ? 0 : set_again(&records[at], to);

		if (rc < 0 && option->flags & OPTION_SAFETY)
			return rc;
		if (rc < 0)
			log_option_lost(old, option->level, option->name, rc);
		order = records[at].order;
	}
	return 0;
}

int optlog_replay(socket_key key, int old, int to)
{
	struct guard guard;
	int rc;

	if (is_lost(key))
		return -ENOBUFS;
	if (used == 0)
		return 0;
	guard = enter();
	rc = guard.held ? replay(key, old, to) : -EAGAIN;
	leave(&guard);
	return rc;
}

int optlog_replay_filter(socket_key key, int to)
{
	struct guard guard = enter();
	int rc = -EACCES;

	if (guard.held) {
		size_t at = find(key, option_find(SOL_SOCKET, SO_ATTACH_BPF), NULL, 0);

		if (at != OPTLOG_RECORDS)
			rc = set_again(&records[at], to);
	}
	leave(&guard);
	return rc;
}

void optlog_forget(socket_key key)
{
	int process = sys_getpid();
	struct guard guard;

	if (used == 0)
		return;
	guard = enter();
	for (size_t i = used; guard.held && i-- > 0;) {
		if (keys[i] == key && records[i].process == process)
			forget(i);
	}
	leave(&guard);
}
