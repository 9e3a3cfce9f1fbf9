#include "answer.h"
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

static void page(struct evhttp_request *request, void *unused)
{
	struct evbuffer *body = evbuffer_new();
	char *host;
	ev_uint16_t port;

	(void)unused;
	evhttp_connection_get_peer(evhttp_request_get_connection(request), &host, &port);
	puts(host);
	fflush(stdout);
	evbuffer_add_printf(body, "a page\n");
	evhttp_send_reply(request, 200, "OK", body);
	evbuffer_free(body);
}

int main(void)
{
	struct event_base *base = event_base_new();
	struct evhttp *server = evhttp_new(base);

	evhttp_set_gencb(server, page, NULL);
	if (evhttp_bind_socket(server, "0.0.0.0", 8080) < 0)
		return 1;
	return event_base_dispatch(base);
}
