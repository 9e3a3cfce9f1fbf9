/* SPDX-License-Identifier: MIT */
#include "xbind/log.h"

#include "core/sys.h"
#include "xbind/line.h"

#include <errno.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static struct statx opened; /* the file to write to; all zero until log_load(), and if unknown */

void log_load(void)
{
	int fd = config_log_fd();

	if (fd >= 0 && sys_statx(fd, STATX_INO, &opened) == -EBADF)
		opened.stx_ino = UINT64_MAX; /* what gets this number later is the program's own */
}

static const char *name_of(enum config_proto proto)
{
	if (proto == CONFIG_PROTOS)
		return "";
	return proto == CONFIG_TCP ? "tcp " : "udp ";
}

static bool start(struct line *line, int fd, enum config_proto proto, int port)
{
	if (config_log_fd() < 0)
		return false;
	line_start(line);
	line_text(line, "bind of descriptor ");
	line_number(line, fd);
	if (port >= 0) {
		line_text(line, " to ");
		line_text(line, name_of(proto));
		line_text(line, "port ");
		line_number(line, port);
	}
	line_text(line, ": ");
	return true;
}

static bool is_opened(int fd)
{
	struct statx now;

	return sys_statx(fd, STATX_INO, &now) == 0 && now.stx_ino == opened.stx_ino &&
	       now.stx_dev_major == opened.stx_dev_major &&
	       now.stx_dev_minor == opened.stx_dev_minor;
}

static void finish(struct line *line)
{
	int fd = config_log_fd();

	if (opened.stx_ino == 0 || is_opened(fd))
		line_write(line, fd);
}

static void put_socket(struct line *line)
{
	line_word(line, config_socket(), strlen(config_socket()));
}

/* The port that the kernel has chosen where the program asked for none. */
static uint16_t port_of(int fd)
{
	struct sockaddr_in6 name = {0};
	socklen_t len = sizeof(name);

	sys_getsockname(fd, &name, &len);
	return ntohs(name.sin6_port); /* sin_port is at the same place */
}

void log_moved(int fd, int new_fd, enum config_proto proto, uint16_t port, uint16_t published)
{
	struct line line;

	if (!start(&line, fd, proto, port))
		return;
	line_text(&line, "moved, port ");
	line_number(&line, published ? published : port_of(new_fd));
	line_text(&line, " of the namespace behind ");
	put_socket(&line);
	finish(&line);
}

void log_left(int fd, int port, const char *why)
{
	struct line line;

	if (!start(&line, fd, CONFIG_PROTOS, port))
		return;
	line_text(&line, "left alone: ");
	line_text(&line, why);
	finish(&line);
}

void log_failed(int fd, enum config_proto proto, uint16_t port, uint16_t published,
                const char *what, int error)
{
	struct line line;

	if (!start(&line, fd, proto, port))
		return;
	if (published != port) {
		line_text(&line, "published as ");
		line_number(&line, published);
		line_text(&line, ": ");
	}
	line_text(&line, "failed: ");
	line_text(&line, what);
	line_error(&line, error);
	line_text(&line, "; control socket ");
	put_socket(&line);
	finish(&line);
}

static bool start_lost(struct line *line, int fd, int rc)
{
	if (rc >= 0 || !start(line, fd, CONFIG_PROTOS, -1))
		return false;
	line_text(line, "not carried over: ");
	return true;
}

void log_lost(int fd, const char *what, int rc)
{
	struct line line;

	if (!start_lost(&line, fd, rc))
		return;
	line_text(&line, what);
	line_error(&line, rc);
	finish(&line);
}

void log_option_lost(int fd, int level, int name, int rc)
{
	struct line line;

	if (!start_lost(&line, fd, rc))
		return;
	line_text(&line, "option ");
	line_number(&line, name);
	line_text(&line, " of level ");
	line_number(&line, level);
	line_error(&line, rc);
	finish(&line);
}

void log_kept(int error)
{
	struct line line;

	if (config_log_fd() < 0)
		return;
	line_start(&line);
	line_text(&line, "chroot: cannot keep a connection to ");
	put_socket(&line);
	line_error(&line, error);
	finish(&line);
}
