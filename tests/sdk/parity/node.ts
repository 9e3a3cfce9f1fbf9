/* Node's modules: see api.ts. */
import * as dgram from "node:dgram";
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";
import { HttpAgent, nodeBind, nodeConnect, nodeListen } from "@xsocket/client";
import { portOf } from "../observed.ts";
import { codeOf, play } from "./api.ts";

const [, , via] = process.argv;
const { KEY: key = "", CERT: cert = "" } = process.env;
const host = "127.0.0.1";
const LOCAL_PORT = via ? 9001 : 9002; // both runs are in the same namespace, at the same time
const HANGS_MS = 2000; // after which a server that does not close is said to hang

/* Has a server listen, and returns its port. */
async function listen(server: net.Server): Promise<number> {
  if (via) await nodeListen(server, { via, host, port: 0 });
  else await once(server.listen(0, host), "listening");
  return portOf(server);
}

async function connectTo(port: number, to = host, from = {}): Promise<net.Socket> {
  if (via) return nodeConnect({ via, host: to, port, ...from });
  const socket = net.connect({ host: to, port, ...from });
  await once(socket, "connect");
  return socket;
}

function agentOf(options: http.AgentOptions = {}): http.Agent {
  return via ? new HttpAgent({ via }, options) : new http.Agent(options);
}

async function bind(socket: dgram.Socket): Promise<dgram.Socket> {
  if (via) return nodeBind(socket, { via, host });
  await once(socket.bind(0, host), "listening");
  return socket;
}

/* The status and the text of an answer, and whether it came over a kept connection. */
async function get(options: http.RequestOptions): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const request = http.request({ host, ...options }, (response) => {
    let text = "";
    response.on("data", (data) => void (text += String(data)));
    response.on("end", () => resolve([response.statusCode, text, request.reusedSocket]));
  });
  request.on("error", (error) => resolve(codeOf(error))).end();
  return promise;
}

async function close(server: net.Server): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve("hangs"), HANGS_MS);
  server.close((error) => resolve(error ? codeOf(error) : "closed"));
  return promise.finally(() => clearTimeout(timer));
}

function pages(delayMs = 0): http.Server {
  return http.createServer(({ url }, response) => {
    setTimeout(() => response.end(`page ${url}`), delayMs);
  });
}

await play({
  async "a web server"() {
    const server = pages();
    const log: string[] = [];
    for (const event of ["listening", "connection", "request", "close"])
      server.on(event, () => void log.push(event));
    const port = await listen(server);
    const agent = agentOf({ keepAlive: true });
    const told = [server.listening, await get({ port, path: "/a", agent })];
    told.push(await get({ port, path: "/b", agent }), await close(server), server.listening);
    agent.destroy();
    return [told, log, server.address(), await close(server)];
  },
  async "a request that is refused, by an agent that was destroyed before"() {
    const agent = agentOf();
    agent.destroy();
    const [error] = await once(http.get({ host, port: 1, agent }), "error");
    const { errno, code, syscall, address, port } = error;
    return [errno, code, syscall, address, port];
  },
  async "a request whose agent limits the silence of a server"() {
    const server = net.createServer((client) => void client.resume());
    const request = http.get({
      host,
      port: await listen(server),
      agent: agentOf({ timeout: 200 }),
    });
    request.on("timeout", () => request.destroy(new Error("silent")));
    const [error] = await once(request, "error", { signal: AbortSignal.timeout(HANGS_MS) });
    return [String(error), await close(server)];
  },
  async "one that is closed while it answers"() {
    const server = pages(200);
    const port = await listen(server);
    const asked = once(server, "request");
    const answer = get({ port, agent: agentOf() });
    await asked;
    return Promise.all([close(server), answer]);
  },
  async "one that closes all connections"() {
    const server = pages();
    const socket = await connectTo(await listen(server));
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(socket, "data");
    const closed = once(socket, "close");
    server.closeAllConnections();
    await closed;
    return close(server);
  },
  async "one that listens again"() {
    const server = pages();
    await listen(server);
    const first = await close(server);
    const answer = await get({ port: await listen(server), agent: agentOf() });
    return [first, answer, await close(server)];
  },
  async "a request to upgrade that nobody listens to"() {
    const server = pages();
    const port = await listen(server);
    const headers = { connection: "Upgrade", upgrade: "tape" };
    return [await get({ port, agent: agentOf(), headers }), await close(server)];
  },
  async "an upgrade"() {
    const server = pages();
    server.on("upgrade", (_, socket) => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tape\r\nConnection: Upgrade\r\n\r\n",
      );
      socket.on("data", (data) => void socket.write(`echo ${String(data)}`));
      socket.on("end", () => setTimeout(() => socket.end(", and more after its end"), 50));
    });
    const port = await listen(server);
    const headers = { connection: "Upgrade", upgrade: "tape" };
    const request = http.request({ host, port, agent: agentOf(), headers });
    const upgraded = once(request, "upgrade");
    request.end();
    const [, socket] = await upgraded;
    server.closeAllConnections(); // it no longer belongs to the server
    let text = "";
    socket.on("data", (data: Buffer) => void (text += data.toString()));
    socket.end("hi");
    await once(socket, "close");
    return text;
  },
  async "TLS over both"() {
    const server = tls.createServer({ key, cert }, (socket) => {
      socket.on("data", (data) => void socket.end(`secret ${String(data)}`));
    });
    const socket = await connectTo(await listen(server));
    const secure = tls.connect({ socket, ca: cert, servername: "web.test" });
    await once(secure, "secureConnect");
    secure.write("word");
    const [data] = await once(secure, "data");
    const { authorized } = secure;
    secure.destroy();
    return [String(data), authorized, await close(server)];
  },
  async "whose certificate it has to be over a socket"() {
    const server = tls.createServer({ key, cert }).on("tlsClientError", () => {});
    const port = await listen(server);
    const told: unknown[] = [];
    for (const to of [host, "localhost"])
      for (const name of [{}, { servername: "web.test" }, { servername: "" }]) {
        const secure = tls.connect({ socket: await connectTo(port, to), ca: cert, ...name });
        const done = once(secure, "secureConnect");
        told.push(await done.then(() => "good", String));
        secure.destroy();
      }
    server.close();
    return told;
  },
  async "connections from one port, one after the other"() {
    const server = net.createServer((socket) => void socket.resume());
    const port = await listen(server);
    const told: unknown[] = [];
    for (const localAddress of [host, undefined, host]) {
      const from = localAddress
        ? { localAddress, localPort: LOCAL_PORT }
        : { localPort: LOCAL_PORT };
      const socket = await connectTo(port, host, from);
      told.push(socket.localAddress, socket.localPort === LOCAL_PORT);
      await once(socket.end(), "close"); // the kernel remembers it as TIME_WAIT
    }
    return [told, await close(server)];
  },
  async "a connection from no address and no port in particular"() {
    const server = net.createServer((socket) => void socket.resume());
    const port = await listen(server);
    const told: unknown[] = [];
    for (const none of ["", false, null])
      for (const localAddress of [none, host]) {
        const from: object = { localAddress, localPort: none };
        const socket = await connectTo(port, host, from);
        told.push(socket.localAddress);
        await once(socket.end(), "close");
      }
    return [told, await close(server)];
  },
  async "a connection, half open"() {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("data", (data) => void socket.write(data));
      socket.on("end", () => void socket.end("after the end"));
    });
    const socket = await connectTo(await listen(server));
    let text = "";
    socket.on("data", (data) => void (text += data.toString()));
    socket.write("ping ");
    await once(socket, "data");
    socket.end();
    await once(socket, "close");
    return [text, socket.bytesRead, socket.bytesWritten, await close(server)];
  },
  async datagrams() {
    const [a, b] = [await bind(dgram.createSocket("udp4")), await bind(dgram.createSocket("udp4"))];
    a.on("message", (data, { port, address }) => a.send(`echo ${String(data)}`, port, address));
    b.send("hi", a.address().port, host);
    const [data, from] = await once(b, "message");
    b.connect(a.address().port, host);
    await once(b, "connect");
    b.send("connected");
    const [again] = await once(b, "message");
    const told = [String(data), from.address, from.family, String(again), b.address().address];
    for (const socket of [a, b]) socket.close();
    return told;
  },
});
