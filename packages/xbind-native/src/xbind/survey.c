/* SPDX-License-Identifier: MIT */
/*
 * survey.c - which options were set, as far as the kernel tells
 *
 * How it works: an option was set when its value is not the default of the program's own namespace.
 * It must not be compared with the default of the target namespace: that depends on the sysctls
 * there, and applies to options that the program has not set. The survey is by far the longest part
 * of a bind, more than a hundred system calls, so it runs while the server makes the new socket.
 */
#include "xbind/survey.h"

#include "core/sys.h"
#include "xbind/defaults.h"
#include "xbind/explicit.h"
#include "xbind/optlog.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* The state of one survey. */
struct look {
	int old;
	const struct kind *kind;
	struct defaults defaults;
	socket_key key;
	bool has_device; /* SO_BINDTOIFINDEX is not 0 */
	int buf_lock;    /* SO_BUF_LOCK, 0 where there is none */
	struct survey found;
};

/* A hidden option counts as set, so that bind fails if it is OPTION_SAFETY, and logs any other. */
static bool is_set_plain(struct look *look, int row)
{
	struct option_value value;
	const struct option_value *normal = defaults_get(&look->defaults, row);

	explicit_learn(row, normal);
	option_read(look->old, &options[row], &value);
	if (value.error < 0)
		return option_is_hidden(value.error);
	if (!option_is_same(&value, normal))
		return true;
	return options[row].flags & OPTION_EXPLICIT &&
	       (explicit_is_set(look->key, row) || explicit_is_unsure(row, normal));
}

/* Was the device given by its index? One that does not exist can only be given so. */
static bool is_by_index(const struct look *look)
{
	struct option_value name;

	if (explicit_is_set(look->key, option_find(SOL_SOCKET, SO_BINDTOIFINDEX)))
		return true;
	option_read(look->old, &options[option_find(SOL_SOCKET, SO_BINDTODEVICE)], &name);
	return name.error == -ENODEV;
}

/*
 * A device is one state with two options. In the target namespace it is the one of the same name,
 * unless the program has given a number.
 */
static bool is_set_device(struct look *look, int row)
{
	bool is_index = options[row].how == OPTION_INDEX;

	defaults_get(&look->defaults, row); /* even if it is not used here: this fills the cache */
	return look->has_device && is_index == is_by_index(look) && is_set_plain(look, row);
}

/* A size that the kernel has chosen is in TCP_INFO as well, even after the connection has ended. */
static bool is_set_segment(struct look *look, int row)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (!is_set_plain(look, row)) /* qemu-user tells nothing of it in TCP_INFO */
		return false;
	if (explicit_is_set(look->key, row))
		return true;
	sys_getsockopt(look->old, IPPROTO_TCP, TCP_INFO, &info, &len);
	return (uint32_t)option_number(look->old, IPPROTO_TCP, TCP_MAXSEG) != info.tcpi_snd_mss;
}

static bool is_set_buffer(struct look *look, int row)
{
	const struct option_value *normal = defaults_get(&look->defaults, row);
	int locked = look->buf_lock & (options[row].name == SO_SNDBUF ? 1 : 2);
	struct option_value value;

	/* The kernel itself changes those of MPTCP, and has no SO_BUF_LOCK there. */
	if (!locked && look->kind->protocol == IPPROTO_MPTCP_)
		return false;
	option_read(look->old, &options[row], &value);
	if (value.error < 0)
		return option_is_hidden(value.error);
	return locked || !option_is_same(&value, normal);
}

/* Its default is none everywhere. */
static bool is_set_interface(struct look *look, int row)
{
	static const uint8_t none[OPTION_BYTES_MAX];
	struct option_value value;

	option_read(look->old, &options[row], &value);
	if (value.error < 0 ? !option_is_hidden(value.error)
	                    : memcmp(value.bytes, none, value.len) == 0)
		return false;
	return !optlog_has(look->key, row);
}

static bool is_set(struct look *look, int row)
{
	switch ((enum option_how)options[row].how) {
	case OPTION_PLAIN:
	case OPTION_LINGER:
	case OPTION_TIME:
		return is_set_plain(look, row);
	case OPTION_NAME:
	case OPTION_INDEX:
		return is_set_device(look, row);
	case OPTION_SEGMENT:
		return is_set_segment(look, row);
	case OPTION_PRIORITY: /* the program may have set it back to its default after IP_TOS */
		return is_set_plain(look, row) ||
		       look->found.is_set[option_find(IPPROTO_IP, IP_TOS)];
	case OPTION_BUFFER:
		return is_set_buffer(look, row);
	case OPTION_EFFECT:
	case OPTION_FILTER:
	case OPTION_HEADERS:
	case OPTION_RECORDS:
		return true;
	case OPTION_REPAIR:
	case OPTION_QUEUES:
		return look->found.is_set[option_find(IPPROTO_TCP, TCP_REPAIR)];
	case OPTION_MULTICAST_IF:
		return is_set_interface(look, row);
	default:
		return false;
	}
}

/* From <linux/mptcp.h>, which not every system has. */
#define SOL_MPTCP_     284
#define MPTCP_TCPINFO_ 2
struct mptcp_subflow_data_ {
	uint32_t size_subflow_data;
	uint32_t num_subflows;
	uint32_t size_kernel;
	uint32_t size_user;
};

static bool has_subflow(int fd)
{
	struct mptcp_subflow_data_ data = {.size_subflow_data = sizeof(data)};
	socklen_t len = sizeof(data);

	return sys_getsockopt(fd, SOL_MPTCP_, MPTCP_TCPINFO_, &data, &len) == 0 &&
	       data.num_subflows > 0;
}

int survey_take(int old, const struct kind *kind, socket_key key, struct survey *ret)
{
	struct look look = {.old = old, .kind = kind, .key = key};
	int rc = defaults_open(old, kind, &look.defaults);

	if (rc < 0)
		return rc;
	/* Before any option is read, since reading some creates a subflow. */
	look.found.has_subflow = kind->protocol == IPPROTO_MPTCP_ && has_subflow(old);
	/* An old kernel or qemu-user may not tell; then it is looked at by name. */
	look.has_device = sys_getsockopt_int(old, SOL_SOCKET, SO_BINDTOIFINDEX) != 0;
	look.buf_lock = option_number(old, SOL_SOCKET, SO_BUF_LOCK_);
	for (int row = 0; row < OPTIONS_COUNT; row++)
		look.found.is_set[row] = option_applies(&options[row], kind) && is_set(&look, row);
	defaults_close(&look.defaults);
	*ret = look.found;
	return 0;
}
