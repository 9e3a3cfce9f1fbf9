/* Registers its socket in two epoll sets before it binds it. */
#include "answer.h"
#include <sys/epoll.h>

int main(void)
{
	struct sockaddr_in at = everywhere(8080);
	struct epoll_event want = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1234567890abcdef};
	struct epoll_event got;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int inner = epoll_create1(0);
	int outer = epoll_create1(0);
	struct epoll_event nested = {.events = EPOLLIN, .data.fd = inner};

	epoll_ctl(inner, EPOLL_CTL_ADD, fd, &want);
	epoll_ctl(outer, EPOLL_CTL_ADD, inner, &nested);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 5) < 0) {
		perror("bind");
		return 1;
	}
	for (;;) {
		int peer;

		if (epoll_wait(outer, &got, 1, -1) != 1 || epoll_wait(inner, &got, 1, 0) != 1)
			continue;
		if (got.data.u64 != want.data.u64) {
			fprintf(stderr, "the registration has lost its data\n");
			return 1;
		}
		while ((peer = accept(fd, NULL, NULL)) >= 0)
			answer(peer);
	}
}
