/* SPDX-License-Identifier: MIT */
#include "support/server.h"

#include "support/pass.h"
#include "support/wire_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MISSES_MS 200 /* milliseconds; longest wait for the client to shut down */

static const char *const names[] = {
    [SERVER_GOOD] = "good",
    [SERVER_SILENT] = "silent",
    [SERVER_LINGERS] = "lingers",
    [SERVER_STALLS] = "stalls",
    [SERVER_CLOSES] = "closes",
    [SERVER_MISSES] = "misses",
    [SERVER_EMPTY] = "empty",
    [SERVER_SHORT] = "short",
    [SERVER_REFUSES] = "refuses",
    [SERVER_LATER_SILENT] = "later-silent",
    [SERVER_LATER_SHORT] = "later-short",
    [SERVER_LATER_SLOW] = "later-slow",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == SERVER_MODES, "each mode has its name");

enum server_mode server_mode_named(const char *name)
{
	int mode = 0;

	while (mode < SERVER_MODES && strcmp(names[mode], name) != 0)
		mode++;
	return (enum server_mode)mode;
}

static size_t client; /* number of the current client */

static void stall(void)
{
	if (client == 0)
		poll(NULL, 0, 1300);
	else if (client == SERVER_STALLS_AGAIN)
		poll(NULL, 0, 300);
}

static void reply(int conn, const uint8_t *bytes, size_t len, const int *fds, size_t count)
{
	pass_send(conn, bytes, len, fds, count);
	poll(NULL, 0, 1); /* a busy server closes its copy a little later */
}

static void stamp(int fd, int conn)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    fchown(fd, peer.uid, peer.gid) < 0)
		return; /* needs privileges */
}

static void answer(int conn, const struct wire_request *request, enum server_mode mode)
{
	uint8_t bytes[WIRE_RESPONSE_BYTES];
	const size_t len = mode == SERVER_EMPTY ? 0 : sizeof(bytes) - (mode == SERVER_SHORT);
	int fd = socket(request->domain, request->type | SOCK_CLOEXEC, request->protocol);
	int error = mode == SERVER_REFUSES ? EPERM : fd < 0 ? errno : 0;

	wire_encode_response(error, bytes);
	if (fd >= 0)
		stamp(fd, conn);
	reply(conn, bytes, len, &fd, error == 0 && mode != SERVER_EMPTY);
	if (mode == SERVER_STALLS)
		stall();
	if (fd >= 0)
		close(fd);
}

/* The mode for the requests after the first one. */
static enum server_mode mode_later(enum server_mode mode)
{
	if (mode == SERVER_LATER_SILENT)
		return SERVER_SILENT;
	return mode == SERVER_LATER_SHORT ? SERVER_SHORT : mode;
}

/* Waits for the client's shutdown, as seen by a server that looked for the request just before. */
static bool has_ended(int conn)
{
	struct pollfd end = {conn, POLLRDHUP, 0};

	return poll(&end, 1, MISSES_MS) > 0;
}

static _Noreturn void serve(int conn, enum server_mode mode)
{
	struct wire_request request;
	uint8_t bytes[WIRE_REQUEST_BYTES + 1];
	int answered = 0;
	ssize_t len;

	if (mode == SERVER_MISSES && has_ended(conn))
		_exit(0);
	while ((len = recv(conn, bytes, sizeof(bytes), 0)) > 0) {
		if (wire_decode_request(bytes, (size_t)len, &request) < 0 || mode == SERVER_CLOSES)
			break;
		while (mode == SERVER_SILENT)
			pause(); /* even after the client has shut down */
		if (mode == SERVER_LATER_SLOW && answered > 0)
			poll(NULL, 0, 300);
		answer(conn, &request, mode);
		answered++;
		mode = mode_later(mode);
	}
	while (mode == SERVER_LINGERS)
		pause();
	_exit(0);
}

_Noreturn void server_run(int listener, enum server_mode mode)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL); /* it may wait for ever */
			serve(conn, mode);
		}
		close(conn);
		client++;
	}
}
