import { http, type Program } from "../program.ts";

const udpClient = `
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (m) => { console.log(m.toString()); process.exit(0); });
socket.send("a page", process.env.PORT, process.env.HOST);
setTimeout(() => process.exit(1), 3000);
`;
const udp = {
  port: 8080,
  kind: "udp",
  client: "$BUN client.js",
  expect: /a page/,
  logsPeerTo: "output",
} as const;

const nodeHttp = `
require("node:http").createServer((q, s) => { console.log(q.socket.remoteAddress); s.end("a page\\n"); }).listen(8080);
`;
const nodeCluster = `
const cluster = require("node:cluster");
if (process.argv[2] === "none") cluster.schedulingPolicy = cluster.SCHED_NONE;
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); process.on("SIGTERM", () => { for (const id in cluster.workers) cluster.workers[id].kill("SIGKILL"); process.exit(0); }); }
else {${nodeHttp}}
`;
const dgram = `
const socket = require("node:dgram").createSocket("udp6");
socket.on("message", (m, peer) => { console.log(peer.address); socket.send(m, peer.port, peer.address); });
socket.bind(8080);
`;

const python = (name: string, packages: readonly string[], code: string): Program => ({
  ...http,
  name,
  packages: ["python3", ...packages],
  files: { ...http.files, "server.py": code },
  run: "exec python3 -u server.py",
  logsPeerTo: "output",
});

const pythonAsyncio = `
import asyncio
async def answer(reader, writer):
    print(writer.get_extra_info("peername")[0], flush=True)
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\na page\\n")
    await writer.drain()
    writer.close()
async def main():
    async with await asyncio.start_server(answer, None, 8080) as server:
        await server.serve_forever()
`;

const wsgi = `
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"a page\\n"]
`;

/** Language runtimes and their event loops. */
export const runtimes: readonly Program[] = [
  {
    ...http,
    name: "Node, http",
    packages: ["nodejs"],
    files: { "server.js": nodeHttp },
    run: "exec node server.js",
    logsPeerTo: "output",
    quick: true,
  },
  {
    ...udp,
    name: "Node, dgram",
    packages: ["nodejs"],
    files: { "server.js": dgram, "client.js": udpClient },
    run: "exec node server.js",
  },
  {
    ...http,
    name: "Node, cluster",
    packages: ["nodejs"],
    files: { "server.js": nodeCluster },
    run: "exec node server.js",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Node, cluster, workers that accept by themselves",
    packages: ["nodejs"],
    files: { "server.js": nodeCluster },
    run: "exec node server.js none",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Bun.serve",
    packages: [],
    version: "$BUN --version",
    files: {
      "server.js":
        'Bun.serve({ port: 8080, fetch(q, s) { console.log(s.requestIP(q).address); return new Response("a page\\n"); } });',
    },
    run: "exec $BUN server.js",
    logsPeerTo: "output",
    quick: true,
  },
  {
    ...http,
    name: "Bun.listen",
    packages: [],
    version: "$BUN --version",
    files: {
      "server.js":
        'Bun.listen({ hostname: "::", port: 8080, socket: { data(s) { console.log(s.remoteAddress); s.end("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"); } } });',
    },
    run: "exec $BUN server.js",
    logsPeerTo: "output",
  },
  {
    ...udp,
    name: "Bun.udpSocket",
    packages: [],
    version: "$BUN --version",
    files: {
      "server.js":
        "await Bun.udpSocket({ port: 8080, socket: { data(s, m, port, address) { console.log(address); s.send(m, port, address); } } });",
      "client.js": udpClient,
    },
    run: "exec $BUN server.js",
  },
  {
    ...http,
    name: "Bun, node:http",
    packages: [],
    version: "$BUN --version",
    files: { "server.js": nodeHttp },
    run: "exec $BUN server.js",
    logsPeerTo: "output",
  },
  {
    ...udp,
    name: "Bun, node:dgram",
    packages: [],
    version: "$BUN --version",
    files: { "server.js": dgram, "client.js": udpClient },
    run: "exec $BUN server.js",
  },
  {
    ...http,
    name: "Python, http.server",
    packages: ["python3"],
    run: "exec python3 -u -m http.server 8080",
    logsPeerTo: "output",
    quick: true,
  },
  python("Python, asyncio", [], `${pythonAsyncio}\nasyncio.run(main())\n`),
  python(
    "Python, uvloop",
    ["python3-uvloop"],
    `${pythonAsyncio}\nimport uvloop\nuvloop.run(main())\n`,
  ),
  python(
    "Python, asyncio datagrams beside a stream",
    [],
    `${pythonAsyncio}
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, peer): self.transport.sendto(data, peer)
async def both():
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("0.0.0.0", 8080))
    await main()
asyncio.run(both())
`,
  ),
  python(
    "Python, socketserver, threads and a fork for each request",
    [],
    `
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        print(self.client_address[0], flush=True)
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\n\\r\\na page\\n")
class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
Server(("", 8080), Answer).serve_forever()
`,
  ),
  python(
    "Python, Twisted",
    ["python3-twisted"],
    `
from twisted.web import server, resource
from twisted.internet import reactor
class Page(resource.Resource):
    isLeaf = True
    def render(self, request):
        print(request.getClientAddress().host, flush=True)
        return b"a page\\n"
reactor.listenTCP(8080, server.Site(Page()))
reactor.run()
`,
  ),
  python(
    "Python, Tornado, two processes",
    ["python3-tornado"],
    `
import asyncio, tornado
class Page(tornado.web.RequestHandler):
    def get(self):
        print(self.request.remote_ip, flush=True)
        self.write("a page\\n")
sockets = tornado.netutil.bind_sockets(8080)
tornado.process.fork_processes(2)
async def main():
    tornado.httpserver.HTTPServer(tornado.web.Application([(r"/.*", Page)])).add_sockets(sockets)
    await asyncio.Event().wait()
asyncio.run(main())
`,
  ),
  python(
    "Python, aiohttp",
    ["python3-aiohttp"],
    `
from aiohttp import web
async def page(request):
    print(request.remote, flush=True)
    return web.Response(text="a page\\n")
app = web.Application()
app.add_routes([web.get("/page", page)])
web.run_app(app, port=8080, reuse_port=True)
`,
  ),
  python(
    "Python, gevent",
    ["python3-gevent"],
    `
from gevent.pywsgi import WSGIServer
def app(environ, start):
    print(environ["REMOTE_ADDR"], flush=True)
    start("200 OK", [])
    return [b"a page\\n"]
WSGIServer(("", 8080), app).serve_forever()
`,
  ),
  python(
    "Python, eventlet",
    ["python3-eventlet"],
    `
import eventlet
from eventlet import wsgi
def app(environ, start):
    print(environ["REMOTE_ADDR"], flush=True)
    start("200 OK", [])
    return [b"a page\\n"]
wsgi.server(eventlet.listen(("0.0.0.0", 8080)), app)
`,
  ),
  python(
    "Python, Trio",
    ["python3-trio"],
    `
import trio
async def answer(stream):
    print(stream.socket.getpeername()[0], flush=True)
    await stream.receive_some()
    await stream.send_all(b"HTTP/1.0 200 OK\\r\\n\\r\\na page\\n")
    await stream.aclose()
trio.run(trio.serve_tcp, answer, 8080)
`,
  ),
  {
    ...http,
    name: "gunicorn, two workers",
    packages: ["gunicorn"],
    files: { "page.py": wsgi },
    run: "exec gunicorn -w 2 -b 0.0.0.0:8080 --access-logfile - page:app",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "uvicorn, two workers",
    packages: ["uvicorn"],
    files: {
      "page.py": `
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a page\\n"})
`,
    },
    run: "exec uvicorn --host 0.0.0.0 --port 8080 --workers 2 page:app",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "waitress",
    packages: ["python3-waitress"],
    files: { "page.py": wsgi },
    run: "exec waitress-serve --listen=*:8080 page:app",
  },
  {
    ...http,
    name: "php -S",
    packages: ["php-cli"],
    run: "exec php -S 0.0.0.0:8080",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "PHP, php-cgi over FastCGI",
    packages: ["php-cgi", "python3"],
    files: {
      "page.php": "<?php echo 'a page';",
      "client.py": `
import os, socket, struct
def pair(k, v): return bytes([len(k), len(v)]) + k.encode() + v.encode()
def record(kind, body): return struct.pack("!BBHHBB", 1, kind, 1, len(body), 0, 0) + body
script = os.path.join(os.environ["DIR"], "page.php")
params = pair("SCRIPT_FILENAME", script) + pair("REQUEST_METHOD", "GET") + pair("REDIRECT_STATUS", "1")
s = socket.create_connection((os.environ["HOST"], os.environ["PORT"]), 3)
s.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
print(s.makefile("rb").read())
`,
    },
    run: "PHP_FCGI_CHILDREN=2 exec php-cgi -b 0.0.0.0:8080",
    client: "python3 client.py",
  },
  {
    ...http,
    name: "Java, HttpServer (NIO)",
    packages: ["default-jdk-headless"],
    version: "java --version | head -n 1",
    files: {
      "Server.java": `
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
public class Server {
  public static void main(String[] args) throws Exception {
    var server = HttpServer.create(new InetSocketAddress(8080), 0);
    server.createContext("/", exchange -> {
      System.out.println(exchange.getRemoteAddress().getAddress().getHostAddress());
      exchange.sendResponseHeaders(200, 7);
      exchange.getResponseBody().write("a page\\n".getBytes());
      exchange.close();
    });
    server.start();
  }
}
`,
    },
    run: "exec java Server.java",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Java, ServerSocket and DatagramSocket",
    packages: ["default-jdk-headless"],
    version: "java --version | head -n 1",
    files: {
      "Server.java": `
import java.net.*;
public class Server {
  public static void main(String[] args) throws Exception {
    var datagrams = new DatagramSocket(8080);
    var server = new ServerSocket(8080);
    for (;;) {
      try (var peer = server.accept()) {
        System.out.println(peer.getInetAddress().getHostAddress() + " " + datagrams.getLocalPort());
        peer.getInputStream().read();
        peer.getOutputStream().write("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n".getBytes());
        peer.shutdownOutput();
        peer.getInputStream().transferTo(java.io.OutputStream.nullOutputStream());
      }
    }
  }
}
`,
    },
    run: "exec java Server.java",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, IO::Socket::IP",
    packages: ["perl"],
    files: {
      "server.pl": `
use IO::Socket::IP; $| = 1;
my $server = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die "$@";
while (my $peer = $server->accept) {
  print $peer->peerhost, "\\n"; <$peer>; print $peer "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"; shutdown $peer, 1; 1 while <$peer>;
}
`,
    },
    run: "exec perl server.pl",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, AnyEvent (EV, libev)",
    packages: ["libanyevent-perl"],
    files: {
      "server.pl": `
use AnyEvent; use AnyEvent::Socket; use AnyEvent::Handle; $| = 1;
tcp_server undef, 8080, sub {
  my ($fh, $host) = @_; print "$host\\n";
  my $h; $h = AnyEvent::Handle->new(fh => $fh, on_error => sub { undef $h });
  $h->push_read(line => qr/\\r\\n\\r\\n/, sub { $h->push_write("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"); $h->on_drain(sub { undef $h }) });
};
AnyEvent->condvar->recv;
`,
    },
    run: "exec perl server.pl",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, Mojolicious",
    packages: ["libmojolicious-perl"],
    files: {
      "server.pl": `use Mojolicious::Lite -signatures;
$| = 1;
get '/page' => sub ($c) { print $c->tx->remote_address, "\\n"; $c->render(text => "a page\\n") };
app->start;
`,
    },
    run: "exec perl server.pl daemon -m production -l 'http://*:8080'",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, Starman",
    packages: ["starman"],
    files: {
      "app.psgi": `$| = 1; sub { print $_[0]{REMOTE_ADDR}, "\\n"; [200, [], ["a page\\n"]] };`,
    },
    run: "exec starman --workers 2 --port 8080 app.psgi",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Ruby, WEBrick",
    packages: ["ruby-webrick", "ruby"],
    run: "exec ruby -run -e httpd -- -p 8080 .",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Ruby, Puma",
    packages: ["puma"],
    files: {
      "config.ru": `run ->(env) { puts env["REMOTE_ADDR"]; $stdout.flush; [200, {}, ["a page\\n"]] }`,
    },
    run: "exec puma -e production -b tcp://0.0.0.0:8080 config.ru",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Ruby, Thin (EventMachine)",
    packages: ["thin"],
    files: {
      "config.ru": `run ->(env) { puts env["REMOTE_ADDR"]; $stdout.flush; [200, {}, ["a page\\n"]] }`,
    },
    run: "exec thin start -a 0.0.0.0 -p 8080 -R config.ru",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Tcl",
    packages: ["tcl"],
    files: {
      "server.tcl": `
proc answer {chan host port} {
  puts $host; flush stdout
  fconfigure $chan -translation crlf
  gets $chan
  puts $chan "HTTP/1.0 200 OK\\n\\na page"
  close $chan
}
socket -server answer 8080
vwait forever
`,
    },
    run: "exec tclsh server.tcl",
    client: "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $HOST $PORT",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Erlang, gen_tcp",
    packages: ["erlang-base"],
    files: {
      "server.erl": `
-module(server).
-export([start/0]).
start() ->
  {ok, L} = gen_tcp:listen(8080, [inet6, {ipv6_v6only, false}, {active, false}, {reuseaddr, true}]),
  loop(L).
loop(L) ->
  {ok, S} = gen_tcp:accept(L),
  {ok, {Peer, _}} = inet:peername(S),
  io:format("~s~n", [inet:ntoa(Peer)]),
  gen_tcp:recv(S, 0),
  gen_tcp:send(S, "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"),
  gen_tcp:close(S),
  loop(L).
`,
    },
    prepare: "erlc server.erl",
    run: "exec erl -noshell -s server start",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Erlang, socket",
    packages: ["erlang-base"],
    files: {
      "server.erl": `
-module(server).
-export([start/0]).
start() ->
  {ok, L} = socket:open(inet, stream, tcp),
  ok = socket:setopt(L, {socket, reuseaddr}, true),
  ok = socket:bind(L, #{family => inet, port => 8080, addr => any}),
  ok = socket:listen(L),
  loop(L).
loop(L) ->
  {ok, S} = socket:accept(L),
  {ok, #{addr := Peer}} = socket:peername(S),
  io:format("~s~n", [inet:ntoa(Peer)]),
  socket:recv(S, 0),
  socket:send(S, <<"HTTP/1.0 200 OK\\r\\n\\r\\na page\\n">>),
  socket:close(S),
  loop(L).
`,
    },
    prepare: "erlc server.erl",
    run: "exec erl -noshell -s server start",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Elixir",
    packages: ["elixir"],
    files: {
      "server.exs": `
{:ok, l} = :gen_tcp.listen(8080, active: false, reuseaddr: true)
loop = fn loop ->
  {:ok, s} = :gen_tcp.accept(l)
  {:ok, {peer, _}} = :inet.peername(s)
  IO.puts(:inet.ntoa(peer))
  :gen_tcp.recv(s, 0)
  :gen_tcp.send(s, "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n")
  :gen_tcp.close(s)
  loop.(loop)
end
loop.(loop)
`,
    },
    run: "exec elixir server.exs",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Lua, LuaSocket",
    packages: ["lua-socket", "lua5.4"],
    files: {
      "server.lua": `
local socket = require "socket"
local server = assert(socket.bind("*", 8080))
io.stdout:setvbuf "no"
while true do
  local peer = server:accept()
  print((peer:getpeername()))
  peer:receive()
  peer:send "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"
  peer:shutdown "send"
  repeat local line = peer:receive() until not line
  peer:close()
end
`,
    },
    run: "exec lua5.4 server.lua",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Common Lisp, SBCL",
    packages: ["sbcl"],
    files: {
      "server.lisp": `
(require :sb-bsd-sockets)
(let ((server (make-instance 'sb-bsd-sockets:inet-socket :type :stream :protocol :tcp)))
  (setf (sb-bsd-sockets:sockopt-reuse-address server) t)
  (sb-bsd-sockets:socket-bind server #(0 0 0 0) 8080)
  (sb-bsd-sockets:socket-listen server 5)
  (loop
    (multiple-value-bind (peer address) (sb-bsd-sockets:socket-accept server)
      (format t "~{~a~^.~}~%" (coerce address 'list)) (finish-output)
      (let ((stream (sb-bsd-sockets:socket-make-stream peer :input t :output t)))
        (loop for line = (read-line stream) until (= 1 (length line)))
        (format stream "HTTP/1.0 200 OK~%~%a page~%")
        (close stream)))))
`,
    },
    run: "exec sbcl --script server.lisp",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Guile",
    packages: ["guile-3.0"],
    files: {
      "server.scm": `
(use-modules (web server))
(run-server (lambda (request body) (values '((content-type . (text/plain))) "a page\\n"))
  'http (list #:addr INADDR_ANY #:port 8080))
`,
    },
    run: "exec guile --no-auto-compile server.scm",
  },
  {
    ...http,
    name: "SWI-Prolog",
    packages: ["swi-prolog-nox"],
    files: {
      "server.pl": `
:- use_module(library(http/thread_httpd)).
:- use_module(library(http/http_dispatch)).
:- http_handler(/, page, [prefix]).
page(Request) :- memberchk(peer(Peer), Request), Peer = ip(A, B, C, D), format(user_error, "~w.~w.~w.~w~n", [A, B, C, D]),
  format('Content-type: text/plain~n~na page~n').
:- initialization((http_server(http_dispatch, [port(8080)]), thread_get_message(_)), main).
`,
    },
    run: "exec swipl server.pl",
    logsPeerTo: "output",
  },
];
