import { http, type Program } from "../program.ts";

const script = (name: string, packages: readonly string[], code: string): Program => ({
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

const asgi = `
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a page\\n"})
`;

/** Python: its own modules, event loops, frameworks and servers. */
export const python: readonly Program[] = [
  {
    ...http,
    name: "Python, http.server",
    packages: ["python3"],
    run: "exec python3 -u -m http.server 8080",
    logsPeerTo: "output",
    quick: true,
  },
  script("Python, asyncio", [], `${pythonAsyncio}\nasyncio.run(main())\n`),
  script(
    "Python, bind by ctypes from libc.so.6",
    [],
    `
import ctypes, socket, struct
libc = ctypes.CDLL("libc.so.6", use_errno=True)
listener = socket.socket()
at = struct.pack("=H", socket.AF_INET) + struct.pack("!H", 8080) + bytes(12)
if libc.bind(listener.fileno(), at, len(at)) != 0:
    raise OSError(ctypes.get_errno(), "bind")
listener.listen()
while True:
    peer, address = listener.accept()
    print(address[0], flush=True)
    peer.recv(65536)
    peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\na page\\n")
    peer.close()
`,
  ),
  script(
    "Python, uvloop",
    ["python3-uvloop"],
    `${pythonAsyncio}\nimport uvloop\nuvloop.run(main())\n`,
  ),
  script(
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
  script(
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
  script(
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
  script(
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
  script(
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
  script(
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
  script(
    "Python, eventlet",
    ["python3-eventlet"],
    // its own names servers fail beside some versions of the modules that dnspython takes in
    `
import os
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
import eventlet
from eventlet import wsgi
def app(environ, start):
    print(environ["REMOTE_ADDR"], flush=True)
    start("200 OK", [])
    return [b"a page\\n"]
wsgi.server(eventlet.listen(("0.0.0.0", 8080)), app)
`,
  ),
  script(
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
    files: { "page.py": asgi },
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
    name: "Hypercorn, two workers",
    packages: ["python3-hypercorn"],
    files: { "page.py": asgi },
    run: "exec python3 -m hypercorn -w 2 -b 0.0.0.0:8080 --access-logfile - page:app",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Flask, with its reloader",
    packages: ["python3-flask"],
    files: {
      "server.py": `
from flask import Flask
app = Flask("x")
@app.route("/page")
def page(): return "a page\\n"
app.run("0.0.0.0", 8080, debug=True)
`,
    },
    run: "exec python3 -u server.py",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Python, gRPC",
    packages: ["python3-grpcio"],
    files: {
      "server.py": `
import grpc
from concurrent import futures
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_insecure_port("[::]:8080")
server.start()
server.wait_for_termination()
`,
      "client.py": `
import grpc, os
channel = grpc.insecure_channel(os.environ["HOST"] + ":" + os.environ["PORT"])
grpc.channel_ready_future(channel).result(4)
print("a page")
`,
    },
    run: "exec python3 server.py",
    client: "python3 client.py",
  },
  {
    ...http,
    name: "Python, ZeroMQ",
    packages: ["python3-zmq"],
    files: {
      "server.py": `
import zmq
s = zmq.Context().socket(zmq.REP)
s.bind("tcp://*:8080")
while True:
    s.recv()
    s.send(b"a page")
`,
      "client.py": `
import zmq, os
s = zmq.Context().socket(zmq.REQ)
s.RCVTIMEO, s.LINGER = 3000, 0
s.connect("tcp://" + os.environ["HOST"] + ":" + os.environ["PORT"])
s.send(b"x")
print(s.recv())
`,
    },
    run: "exec python3 server.py",
    client: "python3 client.py",
  },
];
