import { http, type Program } from "../program.ts";

/** Languages with a runtime of their own: Java, Erlang, Lisp and others. */
export const runtimes: readonly Program[] = [
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
    name: "Common Lisp, CLISP",
    packages: ["clisp"],
    files: {
      "server.lisp": `
(let ((server (socket:socket-server 8080 :interface "0.0.0.0")))
  (loop
    (with-open-stream (peer (socket:socket-accept server :external-format :dos))
      (format t "~a~%" (socket:socket-stream-peer peer t)) (finish-output)
      (loop for line = (read-line peer) until (string= line ""))
      (format peer "HTTP/1.0 200 OK~%~%a page~%"))))
`,
    },
    run: "exec clisp server.lisp",
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
    name: "Raku",
    packages: ["rakudo"],
    files: {
      "server.raku": `
my $server = IO::Socket::INET.new(:listen, :localhost<0.0.0.0>, :localport(8080));
while my $peer = $server.accept {
  $peer.recv; $peer.print("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"); $peer.close;
}
`,
    },
    run: "exec raku server.raku",
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
  {
    ...http,
    name: "Java, AsynchronousServerSocketChannel",
    packages: ["default-jdk-headless"],
    version: "java --version | head -n 1",
    files: {
      "Server.java": `
import java.net.*; import java.nio.*; import java.nio.channels.*;
public class Server {
  public static void main(String[] args) throws Exception {
    var server = AsynchronousServerSocketChannel.open().bind(new InetSocketAddress(8080));
    for (;;) {
      var peer = server.accept().get();
      System.out.println(peer.getRemoteAddress());
      peer.read(ByteBuffer.allocate(1000)).get();
      peer.write(ByteBuffer.wrap("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n".getBytes())).get();
      peer.close();
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
    name: "Mono",
    packages: ["mono-mcs", "mono-runtime"],
    files: {
      "server.cs": `
using System; using System.Net; using System.Net.Sockets; using System.Text;
class Server {
  static void Main() {
    var server = new TcpListener(IPAddress.Any, 8080);
    server.Start();
    for (;;) {
      var peer = server.AcceptTcpClient();
      Console.WriteLine(((IPEndPoint)peer.Client.RemoteEndPoint).Address);
      peer.GetStream().Read(new byte[1000], 0, 1000);
      var page = Encoding.ASCII.GetBytes("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n");
      peer.GetStream().Write(page, 0, page.Length);
      peer.Close();
    }
  }
}
`,
    },
    prepare: "mcs server.cs",
    run: "exec mono server.exe",
    logsPeerTo: "output",
  },
];
