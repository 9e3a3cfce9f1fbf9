/*
 * How it works: this is the fallback where _move.ts does not find what it expects. A node:http
 * server takes the connections from our socket, since node:net adopts descriptors by a documented
 * option, and hands each request to a server of Bun on a UNIX socket in a directory that only this
 * user can enter. The client's address goes along in a header whose name nobody else knows.
 */
import * as http from "node:http";
import * as net from "node:net";
import { join } from "node:path";
import * as tls from "node:tls";
import type { Server, ServerWebSocket, SocketAddress, TLSOptions, WebSocketHandler } from "bun";
import {
  agentTo,
  type Behind,
  parsePeer,
  peerText,
  relayRequest,
  relayUpgrade,
} from "./_behind.ts";
import type { Bound } from "./_bound.ts";
import { adoptNodeListener, describe, onSilence } from "./_bun.ts";
import { makeDirectory, removeDirectory } from "./_directory.ts";
import { Connections } from "./_feed.ts";
import { allOf, misuse } from "./_options.ts";
import type { OwnedSocket } from "./owned.ts";

/** What the relay looks at among Bun.serve's options. */
interface RelayOptions<Data> {
  readonly tls?: TLSOptions | TLSOptions[] | undefined;
  readonly websocket?: WebSocketHandler<Data> | undefined;
  /** Seconds; 0 for no limit. */
  readonly idleTimeout?: number | undefined;
}

/* For how long Bun.serve keeps an idle connection unless idleTimeout says otherwise, in seconds. */
const IDLE_SECONDS = 10;
const IDLE_SECONDS_MAX = 255;

/* The relay has a time limit of its own, as Bun.serve has it. */
const UNLIMITED = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 };

/* A relay that runs. It is ended by drain() and then end(). */
interface Relay {
  /** Sets whether its sockets keep the process alive. */
  hold(how: "ref" | "unref"): void;
  /** Sets how long a client's connection may be idle before its next request, in seconds, with Bun's limits. */
  timeout(peer: string | null, seconds: number): void;
  /** Closes clients' connections on which no request is under way, and returns their number. */
  closeIdle(): number;
  /** Resolves once what was under way is answered. */
  drain(): Promise<void>;
  end(): void;
}

/* The first certificate is for clients that name none of the hosts (SNI). Bun's names for options are those of node:tls. */
function tlsServer(
  [first, ...others]: readonly TLSOptions[],
  accept: (client: net.Socket) => void,
): tls.Server {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  const server = tls.createServer(first as tls.TlsOptions, accept);
  for (const { serverName = "", ...options } of others)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
    server.addContext(serverName, options as tls.SecureContextOptions);
  return server;
}

/* How strictly a host asks for certificates of clients: not at all, for any, or for one that it can check. */
function strictness({ requestCert, rejectUnauthorized }: TLSOptions): number {
  if (!requestCert) return 0;
  return rejectUnauthorized === false ? 1 : 2;
}

/* The relay checks the client's certificate, so the server behind must not ask for one: the relay has none. node:tls
   checks for every host as strictly as for the first, so a host that is to be stricter would let everybody in. */
function withoutAsking(certificates: readonly TLSOptions[]): TLSOptions[] {
  const [first = 0, ...others] = certificates.map(strictness);
  if (others.some((other) => other > first))
    throw misuse(
      "serve",
      "a host in tls asks for clients' certificates more strictly than the first one, which a relay cannot do",
      "Have the first ask as strictly, or make a server of its own for that host.",
    );
  return certificates.map((each) => ({ ...each, requestCert: false }));
}

/* Bun takes anything below 1 for no limit, and this maximum for anything above it. */
function idleMs(seconds: number): number {
  return seconds >= 1 ? Math.min(seconds, IDLE_SECONDS_MAX) * 1000 : 0;
}

/* Takes the connections of our socket. */
function relayFrom(
  socket: OwnedSocket,
  behind: Behind,
  certificates: readonly TLSOptions[],
  idleSeconds: number,
): Relay {
  const agent = agentTo(behind);
  const clients = new Map<string, net.Socket>();
  const last = new WeakMap<net.Socket, http.ServerResponse>();
  const front = http.createServer(UNLIMITED, (request, response) => {
    const { socket: client } = request;
    const relay = (): void => {
      if (response.destroyed) return;
      client.setTimeout(idleMs(idleSeconds));
      relayRequest(behind, agent, request, response);
    };
    const before = last.get(client);
    last.set(client, response);
    // one at a time, so that a client that pipelines has no more than one connection behind
    if (before && !before.closed) before.once("close", relay);
    else relay();
  });
  front.on("upgrade", (request, client: net.Socket, rest) => {
    last.delete(client); // it is never idle again
    relayUpgrade(behind, request, client, rest);
  });
  const connections = new Connections(front);
  let held: "ref" | "unref" = "ref";
  const accept = (client: net.Socket): void => {
    client[held]();
    connections.add(client);
    const peer = peerText(client);
    clients.set(peer, client);
    // unless its address and port are those of another connection by then
    client.once("close", () => clients.get(peer) === client && clients.delete(peer));
    onSilence(client, () => client.destroy());
    client.setTimeout(idleMs(idleSeconds));
    front.emit("connection", client);
  };
  const acceptor = behind.secure ? tlsServer(certificates, accept) : net.createServer(accept);
  adoptNodeListener(acceptor, socket.fd);
  socket.take();
  const hold: Relay["hold"] = (how) => {
    held = how;
    for (const each of [acceptor, ...clients.values()]) each[how]();
  };
  const closeIdle = (): number => {
    // not front's own method, which closes also those that have asked nothing yet
    const idle = [...clients.values()].filter((client) => last.get(client)?.closed);
    for (const client of idle) client.destroy();
    return idle.length;
  };
  const drain = (): Promise<void> => {
    acceptor.close();
    return connections.drain();
  };
  const end = (): void => {
    agent.destroy();
    connections.destroy();
  };
  const timeout = (peer: string | null, seconds: number): void =>
    void clients.get(peer ?? "")?.setTimeout(idleMs(seconds));
  return { hold, closeIdle, drain, end, timeout };
}

/* Bun calls open() within upgrade(), so `peer` then tells the client whose request is being upgraded. */
function withPeers<Data>(
  websocket: WebSocketHandler<Data> | undefined,
  peer: () => SocketAddress | null,
): { websocket?: WebSocketHandler<Data> } {
  if (!websocket) return {};
  const open = (socket: ServerWebSocket<Data>): void | Promise<void> => {
    describe(socket, { remoteAddress: peer()?.address });
    return websocket.open?.(socket);
  };
  return { websocket: { ...allOf(websocket), open } };
}

/**
 * Starts a server of Bun behind a relay that takes the connections of a listening socket.
 *
 * @param options the user's options
 * @param run     starts Bun.serve with the user's options and those that are given to it
 * @param bound   the socket, which is taken once nothing can fail any more, with its address for the server to tell
 */
export function startRelayed<Data>(
  options: RelayOptions<Data>,
  run: (changes: object) => Server<Data>,
  { socket, ip, port }: Bound,
): Server<Data> {
  using undo = new DisposableStack();
  const directory = makeDirectory();
  undo.defer(() => removeDirectory(directory));
  const header = `x-xsocket-peer-${crypto.randomUUID()}`;
  const path = join(directory, "http");
  let upgrading: SocketAddress | null = null;
  const certificates = [options.tls ?? []].flat().map((each) => allOf(each));
  const peers = (websocket: WebSocketHandler<Data> | undefined) =>
    withPeers(websocket, () => upgrading);
  const server = run({
    unix: path,
    idleTimeout: 0, // the relay applies it, since server.timeout() does nothing on a UNIX socket of Bun
    tls: withoutAsking(certificates),
    ...peers(options.websocket),
  });
  undo.defer(() => void server.stop(true));
  const behind = { path, header, secure: server.protocol === "https" };
  const relay = relayFrom(socket, behind, certificates, options.idleTimeout ?? IDLE_SECONDS);
  undo.move();
  const hold = (how: "ref" | "unref") => {
    const own = server[how].bind(server);
    return () => (relay.hold(how), own());
  };
  const reload = server.reload.bind(server);
  const upgrade = server.upgrade.bind(server);
  const stop = server.stop.bind(server);
  const requestIP = (request: Request): SocketAddress | null =>
    parsePeer(request.headers.get(header));
  const stopAll = async (closeActive?: boolean): Promise<void> => {
    const drained = relay.drain();
    describe(server, { port: 0 }); // as Bun's own
    if (closeActive !== true) await drained; // first: requests under way need the server
    await stop(closeActive);
    relay.end();
    removeDirectory(directory);
  };
  describe(server, {
    port,
    address: { address: ip.address, family: `IPv${ip.family}`, port },
    requestIP,
    timeout: ({ headers }: Request, seconds: number) => relay.timeout(headers.get(header), seconds),
    reload: (next: Parameters<typeof reload>[0]) =>
      reload(Object.assign(allOf(next), peers(next.websocket))),
    closeIdleConnections: () => relay.closeIdle(),
    ref: hold("ref"),
    unref: hold("unref"),
    stop: stopAll,
    [Symbol.dispose]: () => void stopAll(true),
    upgrade: (...args: Parameters<typeof upgrade>) => {
      upgrading = requestIP(args[0]);
      return upgrade(...args);
    },
  });
  return server;
}
