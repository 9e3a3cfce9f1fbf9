#include "answer.h"
#include <uv.h>

static uv_buf_t page = {.base = (char *)"HTTP/1.0 200 OK\r\n\r\na page\n", .len = 26};

static void done(uv_write_t *request, int status)
{
	(void)status;
	uv_close((uv_handle_t *)request->handle, NULL);
}

static void space(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	static char bytes[4096];

	(void)handle;
	(void)size;
	*buf = uv_buf_init(bytes, sizeof(bytes));
}

static void got(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	static uv_write_t request;

	(void)buf;
	if (size > 0)
		uv_write(&request, stream, &page, 1, done);
}

static void came(uv_stream_t *server, int status)
{
	static uv_tcp_t peer;
	struct sockaddr_storage from;
	int size = sizeof(from);
	char text[64];

	(void)status;
	uv_tcp_init(server->loop, &peer);
	uv_accept(server, (uv_stream_t *)&peer);
	uv_tcp_getpeername(&peer, (struct sockaddr *)&from, &size);
	uv_ip4_name((struct sockaddr_in *)&from, text, sizeof(text));
	puts(text);
	fflush(stdout);
	uv_read_start((uv_stream_t *)&peer, space, got);
}

int main(void)
{
	struct sockaddr_in at = everywhere(8080);
	uv_tcp_t server;

	uv_tcp_init_ex(uv_default_loop(), &server, AF_INET); /* the socket exists before bind */
	if (uv_tcp_bind(&server, (struct sockaddr *)&at, 0) ||
	    uv_listen((uv_stream_t *)&server, 5, came))
		return 1;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
