/* SPDX-License-Identifier: MIT */
/*
 * carry.c - the options of one socket, set on another
 *
 * How it works: an option was set when its value is not the default of the program's own namespace.
 * The defaults of the target namespace must not be compared with: they differ with its sysctls, and
 * what the program has not set is to have them.
 */
#include "xbind/carry.h"

#include "core/sys.h"
#include "xbind/defaults.h"
#include "xbind/explicit.h"
#include "xbind/key.h"
#include "xbind/log.h"
#include "xbind/options.h"
#include "xbind/optlog.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <string.h>

#define HEADERS_BYTES_MAX 2048 /* the kernel's limit on extension headers */
#define FILTER_STACK_MAX  64   /* instructions that are copied on the stack */
#define SO_BUF_LOCK_      72

/* One swap's way through the options. */
struct carry {
	int old;
	int to;
	struct defaults defaults;
	socket_key key;
	bool has_device; /* SO_BINDTOIFINDEX is not 0 */
	int buf_lock;    /* SO_BUF_LOCK of the old socket, 0 where there is none */
};

static bool same(const struct option_value *a, const struct option_value *b)
{
	return a->error == b->error && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* One that this socket has not, or not in its present state: then nobody has set it. */
static bool is_unset(const struct option_value *value, const struct option_value *normal)
{
	return option_is_missing(value) || value->error == -EINVAL || value->error == normal->error;
}

static int set(const struct carry *carry, const struct option *option,
               const struct option_value *value)
{
	return sys_setsockopt(carry->to, option->level, option->name, value->bytes, value->len);
}

static int carry_plain(struct carry *carry, int row)
{
	struct option_value value;
	const struct option_value *normal = defaults_get(&carry->defaults, row);

	if (option_is_missing(normal))
		return 0;
	option_read(carry->old, &options[row], &value);
	if (value.error < 0)
		return is_unset(&value, normal) ? 0 : value.error;
	if (same(&value, normal) &&
	    !(options[row].flags & OPTION_EXPLICIT && explicit_is_set(carry->key, row)))
		return 0;
	return set(carry, &options[row], &value);
}

/* Was the device given by its index? One that does not exist can only be given so. */
static bool is_by_index(const struct carry *carry)
{
	struct option_value name;

	if (explicit_is_set(carry->key, option_find(SOL_SOCKET, SO_BINDTOIFINDEX)))
		return true;
	option_read(carry->old, &options[option_find(SOL_SOCKET, SO_BINDTODEVICE)], &name);
	return name.error == -ENODEV;
}

/*
 * A device is one state with two options. In the target namespace it is the one of the same name,
 * unless the program has given a number.
 */
static int carry_device(struct carry *carry, int row)
{
	bool is_index = options[row].how == OPTION_INDEX;

	defaults_get(&carry->defaults, row); /* which may be the look that is kept */
	if (!carry->has_device)
		return 0;
	return is_index == is_by_index(carry) ? carry_plain(carry, row) : 0;
}

static int get_int(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return sys_getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

static int set_int(int fd, int level, int name, int value)
{
	return sys_setsockopt(fd, level, name, &value, sizeof(value));
}

static int carry_buffer(struct carry *carry, int row)
{
	const struct option *option = &options[row];
	const struct option_value *normal = defaults_get(&carry->defaults, row);
	int locked = option->name == SO_SNDBUF ? carry->buf_lock & 1 : carry->buf_lock & 2;
	int size = get_int(carry->old, option->level, option->name);
	int was;

	memcpy(&was, normal->bytes, sizeof(was));
	if (size == was && !locked)
		return 0;
	/* SO_RCVLOWAT, carried over before, has made it larger and left it unlocked. */
	if (!locked && get_int(carry->to, option->level, option->name) == size)
		return 0;
	set_int(carry->to, option->level, option->name, size / 2);
	if (get_int(carry->to, option->level, option->name) == size)
		return 0;
	/* Past the limit of sysctl: somebody privileged has set it, perhaps we may, too. */
	return set_int(carry->to, option->level, option->other, size / 2);
}

static int carry_lock(struct carry *carry, const struct option *option)
{
	if (get_int(carry->to, option->level, option->name) == carry->buf_lock)
		return 0;
	return set_int(carry->to, option->level, option->name, carry->buf_lock);
}

static int carry_headers(struct carry *carry, const struct option *option)
{
	uint8_t bytes[HEADERS_BYTES_MAX];
	socklen_t len = option->bytes;
	int rc = sys_getsockopt(carry->old, option->level, option->name, bytes, &len);

	if (rc < 0 || len == 0)
		return 0;
	return sys_setsockopt(carry->to, option->level, option->name, bytes, len);
}

static int copy_filter(struct carry *carry, struct sock_filter *program, socklen_t count)
{
	struct sock_fprog filter = {.len = (unsigned short)count, .filter = program};
	int rc = sys_getsockopt(carry->old, SOL_SOCKET, SO_GET_FILTER, program, &count);

	if (rc < 0)
		return rc;
	return sys_setsockopt(carry->to, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static int carry_filter(struct carry *carry)
{
	struct sock_filter program[FILTER_STACK_MAX];
	socklen_t count = 0; /* instructions, not bytes */
	int rc = sys_getsockopt(carry->old, SOL_SOCKET, SO_GET_FILTER, NULL, &count);
	size_t bytes = count * sizeof(struct sock_filter);
	void *map;

	if (rc == -EACCES) /* an extended filter */
		return optlog_replay_filter(carry->key, carry->to);
	if (rc < 0 || count == 0)
		return rc;
	if (count <= FILTER_STACK_MAX)
		return copy_filter(carry, program, count);
	map = sys_map(bytes);
	if (!map)
		return -ENOMEM;
	rc = copy_filter(carry, map, count);
	sys_unmap(map, bytes);
	return rc;
}

static int carry_one(struct carry *carry, int row)
{
	switch ((enum option_how)options[row].how) {
	case OPTION_PLAIN:
		return carry_plain(carry, row);
	case OPTION_NAME:
	case OPTION_INDEX:
		return carry_device(carry, row);
	case OPTION_BUFFER:
		return carry_buffer(carry, row);
	case OPTION_LOCK:
		return carry_lock(carry, &options[row]);
	case OPTION_HEADERS:
		return carry_headers(carry, &options[row]);
	case OPTION_RECORDS:
		return optlog_replay(carry->key, carry->old, carry->to);
	case OPTION_FILTER:
		return carry_filter(carry);
	default:
		return 0;
	}
}

static int carry_rows(struct carry *carry, const struct kind *kind)
{
	for (int row = 0; row < OPTIONS_COUNT; row++) {
		int rc;

		if (!option_applies(&options[row], kind))
			continue;
		rc = carry_one(carry, row);
		if (rc < 0 && options[row].flags & OPTION_SAFETY)
			return rc;
		if (rc < 0)
			log_option_lost(carry->old, options[row].level, options[row].name, rc);
	}
	return 0;
}

/* An old kernel or qemu-user may not tell; then it is looked at by name. */
static bool has_device(int fd)
{
	int index = 0;
	socklen_t len = sizeof(index);

	return sys_getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &len) < 0 || index != 0;
}

int carry_options(int old, int to, const struct kind *kind, socket_key key)
{
	struct carry carry = {.old = old, .to = to, .key = key};
	int rc = defaults_open(old, kind, &carry.defaults);

	if (rc < 0)
		return rc;
	carry.has_device = has_device(old);
	carry.buf_lock = get_int(old, SOL_SOCKET, SO_BUF_LOCK_);
	rc = carry_rows(&carry, kind);
	defaults_close(&carry.defaults, rc == 0);
	return rc;
}
