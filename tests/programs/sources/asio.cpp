#include <asio.hpp>
#include <iostream>

using asio::ip::tcp;

int main()
{
	asio::io_context context;
	tcp::acceptor acceptor(context);

	acceptor.open(tcp::v4()); /* in the reactor's epoll set from here on, before it is bound */
	acceptor.set_option(tcp::acceptor::reuse_address(true));
	acceptor.bind(tcp::endpoint(tcp::v4(), 8080));
	acceptor.listen();
	for (;;) {
		tcp::socket peer(context);
		char request[1024];
		asio::error_code ignored;

		/* async, so that it waits in the epoll set */
		bool came = false;
		acceptor.async_accept(peer, [&](asio::error_code error) { came = !error; });
		context.run();
		context.restart();
		if (!came)
			return 1;
		std::cout << peer.remote_endpoint().address().to_string() << std::endl;
		peer.read_some(asio::buffer(request), ignored);
		asio::write(peer, asio::buffer(std::string("HTTP/1.0 200 OK\r\n\r\na page\n")), ignored);
	}
}
