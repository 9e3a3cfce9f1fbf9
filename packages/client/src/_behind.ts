/* The server behind a relay (_relay.ts): how a request gets there, and its answer back. */
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import * as tls from "node:tls";
import type { SocketAddress } from "bun";

/* For how long a connection to the server behind is kept, in milliseconds. */
const KEPT_MS = 4000;

/** Where the server behind is, and the header that carries the client's address to it. */
export interface Behind {
  readonly path: string;
  readonly header: string;
  readonly secure: boolean;
}

/** The client's address, for that header; and its name among the clients. */
export function peerText(client: net.Socket): string {
  const { remoteAddress = "", remoteFamily = "IPv4", remotePort = 0 } = client;
  return JSON.stringify({ address: remoteAddress, family: remoteFamily, port: remotePort });
}

/** The address that {@link peerText} has written. */
export function parsePeer(text: string | null): SocketAddress | null {
  if (text === null) return null;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by peerText
  return JSON.parse(text) as SocketAddress;
}

function requestBehind(
  behind: Behind,
  request: http.IncomingMessage,
  agent: http.Agent,
): http.ClientRequest {
  const { method, url: path } = request;
  // not the client's own "close", by which Bun would close this connection before the body has come
  const connection = "keep-alive"; // an agent that keeps none ends it itself
  const headers = { ...request.headers, connection, [behind.header]: peerText(request.socket) };
  const options = { socketPath: behind.path, method, path, headers, agent };
  // The server behind is our own: it shows the user's certificate, made for another name.
  return behind.secure
    ? https.request({ ...options, rejectUnauthorized: false })
    : http.request(options);
}

function hasBody({ headers }: http.IncomingMessage): boolean {
  return "content-length" in headers || "transfer-encoding" in headers;
}

/** Hands a request on, and its answer back. */
export function relayRequest(
  behind: Behind,
  agent: http.Agent,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): void {
  // as Bun.serve does; the server behind would see a host always, since node:http adds one
  if (request.headers.host === undefined && request.httpVersion !== "1.0")
    return void response.writeHead(400, { connection: "close" }).end();
  const inner = requestBehind(behind, request, agent);
  inner.on("response", (answer) => {
    const { "transfer-encoding": _, ...headers } = answer.headers; // a client of HTTP/1.0 takes no chunks
    response.writeHead(answer.statusCode ?? 502, headers);
    answer.pipe(response);
    answer.on("close", () => answer.complete || response.destroy()); // where the server behind has broken off
  });
  inner.on("socket", (socket) => socket.setDefaultEncoding("latin1")); // for the head: see Connections in _feed.ts
  inner.on("error", () => response.destroy());
  response.on("close", () => {
    inner.destroy();
    request.unpipe().resume(); // what is left of a body makes way for the next request
  });
  if (hasBody(request)) inner.flushHeaders(); // it may be answered before it has come
  request.pipe(inner);
}

type Opened = (error: Error | null, socket: net.Socket) => void;

/* Connects to the server behind. Where many come at once its backlog is full until it has come to accept them, which
   Bun calls ECONNREFUSED; that there is no server any more is ENOENT. */
function openBehind(behind: Behind, done: Opened): void {
  const { path, secure } = behind;
  const socket = net.connect({ path }).unref(); // the client's keeps the program running, or does not
  const refused = (error: NodeJS.ErrnoException): void => {
    if (error.code === "ECONNREFUSED") setImmediate(openBehind, behind, done);
    else done(error, socket);
  };
  socket.once("error", refused).once("connect", () => {
    socket.off("error", refused);
    done(null, secure ? tls.connect({ socket, rejectUnauthorized: false }) : socket);
  });
}

/** An agent that keeps its connections to the server behind for a while. */
export function agentTo(behind: Behind): http.Agent {
  const kept = { keepAlive: true, timeout: KEPT_MS };
  const agent = behind.secure ? new https.Agent(kept) : new http.Agent(kept);
  const createConnection = (_: unknown, done: Opened): void => openBehind(behind, done);
  Object.assign(agent, { createConnection });
  return agent;
}

/** A WebSocket is bytes after its first request, so the head is written again and the rest is piped. */
export function relayUpgrade(
  behind: Behind,
  request: http.IncomingMessage,
  client: net.Socket,
  rest: Buffer,
): void {
  client.on("error", () => {}); // it is destroyed by then
  openBehind(behind, (error, inner) => {
    if (!error && !client.destroyed) return joinUpgrade(behind, request, client, rest, inner);
    client.destroy();
    inner.destroy();
  });
}

function joinUpgrade(
  behind: Behind,
  request: http.IncomingMessage,
  client: net.Socket,
  rest: Buffer,
  inner: net.Socket,
): void {
  client.setTimeout(0); // as Bun.serve, which waits for whether it is taken
  inner.once("data", () => client.setTimeout(0)); // the server behind has its own time for WebSockets
  const { headers } = request;
  // "close", since what follows a refused upgrade would be piped as well, and lack the client's address
  const connection = `${headers.connection}, close`;
  const pairs = Object.entries({ ...headers, connection, [behind.header]: peerText(client) });
  const lines = pairs.map(([name, value]) => `${name}: ${String(value)}\r\n`);
  inner.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
  inner.write(rest);
  for (const [from, to] of [
    [inner, client],
    [client, inner],
  ] as const) {
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    from.pipe(to);
  }
}
