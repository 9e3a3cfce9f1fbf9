/* SPDX-License-Identifier: MIT */
#include "support/place.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static void write_file(const char *path, const char *format, ...)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	va_list args;

	if (fd < 0)
		die(path);
	va_start(args, format);
	if (vdprintf(fd, format, args) < 0)
		die(path);
	va_end(args);
	close(fd);
}

/* Sysctls that this kernel lacks are skipped. */
static void set_sysctls(const char *const list[])
{
	for (int i = 0; list[i]; i++) {
		char path[PATH_MAX];
		const char *equals = strchr(list[i], '=');

		if (!equals)
			die(list[i]);
		snprintf(path, sizeof(path), "/proc/sys/%.*s", (int)(equals - list[i]), list[i]);
		if (access(path, F_OK) == 0)
			write_file(path, "%s", equals + 1);
	}
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("lo");
	close(fd);
}

void place_become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		die("becoming an ordinary user");
}

bool place_enter(const char *const sysctls[])
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();

	if (unshare(CLONE_NEWNET | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0)
		return false;
	if (uid != 0) {
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", "0 %d 1", (int)uid);
		write_file("/proc/self/gid_map", "0 %d 1", (int)gid);
	}
	loopback_up();
	set_sysctls(sysctls);
	return true;
}

uint64_t place_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	close(fd);
	return cookie;
}
