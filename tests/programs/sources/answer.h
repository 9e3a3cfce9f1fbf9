/* What the small servers share: the page, and the peer's address on standard output. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in everywhere(unsigned short port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	return at;
}

/* Answers one request and closes the connection. */
__attribute__((unused)) static void answer(int peer)
{
	static const char page[] = "HTTP/1.0 200 OK\r\n\r\na page\n";
	char request[1024];
	char text[INET_ADDRSTRLEN];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);

	if (getpeername(peer, (struct sockaddr *)&from, &size) == 0)
		puts(inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)));
	fflush(stdout);
	if (read(peer, request, sizeof(request)) > 0 && write(peer, page, sizeof(page) - 1) > 0)
		shutdown(peer, SHUT_WR);
	while (read(peer, request, sizeof(request)) > 0)
		;
	close(peer);
}
