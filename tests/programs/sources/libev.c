#include "answer.h"
#include <ev.h>

static void came(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	answer(accept(watcher->fd, NULL, NULL));
}

int main(void)
{
	struct sockaddr_in at = everywhere(8080);
	ev_io watcher;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ev_io_init(&watcher, came, fd, EV_READ);
	ev_io_start(EV_DEFAULT, &watcher);
	ev_run(EV_DEFAULT, EVRUN_NOWAIT); /* registers the socket before it is bound */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 5) < 0)
		return 1;
	return ev_run(EV_DEFAULT, 0);
}
