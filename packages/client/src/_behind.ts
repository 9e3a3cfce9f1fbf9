/* The server behind a relay (_relay.ts): how a request gets there, and its answer back. */
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import * as tls from "node:tls";
import type { SocketAddress } from "bun";

/* For how long a connection to the server behind is kept, in milliseconds. */
const KEPT_MS = 4000;

/* The longest head of an answer, in bytes: node:http would take 16 KiB, and Bun.serve sends any. */
const HEAD_BYTES_MAX = 1 << 20;

/** Where the server behind is, and the header that carries the client's address to it. */
export interface Behind {
  readonly path: string;
  readonly header: string;
  readonly secure: boolean;
}

/** The client's address as text: the value of that header, and the key of the client's connection in the relay. */
export function peerText(client: net.Socket): string {
  const { remoteAddress = "", remoteFamily = "IPv4", remotePort = 0 } = client;
  return JSON.stringify({ address: remoteAddress, family: remoteFamily, port: remotePort });
}

/** Reads what {@link peerText} has written. */
export function parsePeer(text: string | null): SocketAddress | null {
  if (text === null) return null;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by peerText
  return JSON.parse(text) as SocketAddress;
}

/* Trailers are not handed on, and node:http throws for the header where none could follow. */
function withoutTrailer(headers: http.IncomingHttpHeaders): http.IncomingHttpHeaders {
  const { trailer: _, ...others } = headers;
  return others;
}

function requestBehind(
  behind: Behind,
  request: http.IncomingMessage,
  agent: http.Agent,
): http.ClientRequest {
  const { method, url: path } = request;
  // Not the client's own "close": Bun would close this connection before all of the body has arrived.
  const connection = "keep-alive"; // an agent that keeps no connections closes it itself
  // Bun, unlike node:http, would upgrade also where `connection` does not say so, and then there is no answer.
  const { upgrade: _, ...own } = withoutTrailer(request.headers);
  const headers = { ...own, connection, [behind.header]: peerText(request.socket) };
  const maxHeaderSize = HEAD_BYTES_MAX;
  const options = { socketPath: behind.path, method, path, headers, agent, maxHeaderSize };
  // No check: the server behind is our own, and its certificate, the user's, is for another name.
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
  // Bun.serve refuses these too, but behind us it never sees one: node:http adds a missing Host.
  if (request.headers.host === undefined && request.httpVersion !== "1.0")
    return void response.writeHead(400, { connection: "close" }).end();
  const inner = requestBehind(behind, request, agent);
  inner.on("response", (answer) => {
    const { "transfer-encoding": _, ...headers } = withoutTrailer(answer.headers); // HTTP/1.0 has no chunks
    response.writeHead(answer.statusCode ?? 502, headers);
    answer.pipe(response);
    answer.on("close", () => answer.complete || response.destroy()); // the server behind broke off
  });
  inner.on("socket", (socket) => socket.setDefaultEncoding("latin1")); // for the head: see Connections in _feed.ts
  inner.on("error", () => response.destroy());
  response.on("close", () => {
    inner.destroy();
    request.unpipe().resume(); // discards the rest of the body, to reach the next request
  });
  if (hasBody(request)) inner.flushHeaders(); // it may be answered before its body has arrived
  request.pipe(inner);
}

type Opened = (error: Error | null, socket: net.Socket) => void;

/* Connects to the server behind. When many connect at once its backlog may be full, which Bun reports as
   ECONNREFUSED: then it is tried again. A server that is gone gives ENOENT. */
function openBehind(behind: Behind, done: Opened): void {
  const { path, secure } = behind;
  const socket = net.connect({ path }).unref(); // the client's connection decides whether the process stays alive
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

/** Relays a WebSocket: after its first request it is plain bytes, so the head is written anew and the rest is piped. */
export function relayUpgrade(
  behind: Behind,
  request: http.IncomingMessage,
  client: net.Socket,
  rest: Buffer,
): void {
  client.on("error", () => {}); // an error has destroyed it, as is seen below
  openBehind(behind, (error, inner) => {
    if (error || client.destroyed) {
      client.destroy();
      return void inner.destroy();
    }
    client.setTimeout(0); // as Bun.serve: no limit while the handler decides about the upgrade
    inner.once("data", () => client.setTimeout(0)); // from here on the server behind applies its own limit for WebSockets
    const { headers, method, url } = request;
    // "close": requests after a refused upgrade would be piped too, without the client's address
    const connection = `${headers.connection}, close`;
    const pairs = Object.entries({ ...headers, connection, [behind.header]: peerText(client) });
    const lines = pairs.map(([name, value]) => `${name}: ${String(value)}\r\n`);
    inner.write(`${method} ${url} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
    inner.write(rest);
    inner.on("error", () => client.destroy());
    inner.on("close", () => client.destroy());
    client.on("error", () => inner.destroy());
    client.on("close", () => {
      // after an end the server behind reads what came before it, and closes this connection itself
      if (client.readableEnded) inner.resume();
      else inner.destroy();
    });
    inner.pipe(client).pipe(inner);
  });
}
