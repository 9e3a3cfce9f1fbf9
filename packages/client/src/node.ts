import type * as dgram from "node:dgram";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import { inspect } from "node:util";
import { checked, errno, loadSyscalls, SyscallError } from "@xsocket/xbind-native";
import { ANY, hostPort, withoutBrackets } from "./_address.ts";
import { askedOf, type BindPlan, bindPlan, type Bound, bound, failedAt } from "./_bound.ts";
import { adoptable, adoptNodeConnection, madeWith, refusal } from "./_bun.ts";
import { feed } from "./_feed.ts";
import { checkBacklog, checkPort, hostOf, misuse } from "./_options.ts";
import { listenAt, setOption } from "./_socket.ts";
import { pathOf, THROUGH_KEYS, type Through } from "./_through.ts";
import { refuseUnknown } from "./_unknown.ts";
import { connectedSocket } from "./_connected.ts";
import { failed, withoutOurLines, XSocketError } from "./error.ts";
import { OwnedSocket } from "./owned.ts";

/** A peer for node:net, and the server through which to reach it. */
export interface NodeConnectOptions extends Through {
  /** The peer's address, or its name, which is looked up in the target namespace; localhost by default. */
  readonly host?: string | undefined;
  readonly port: number;
  /** The address of the target namespace to connect from; its routes decide by default. */
  readonly localAddress?: string | undefined;
  /** The port to connect from; any by default. */
  readonly localPort?: number | undefined;
}

/** Where to listen for node:net, node:http and node:dgram, and the server through which to do it. */
export interface NodeListenOptions extends Through {
  /** The address, or a name that resolves to one, in the target namespace; all of them by default. */
  readonly host?: string | undefined;
  /** 0 by default: any free port, which `server.address()` tells. */
  readonly port?: number | undefined;
  /** How many connections may wait to be accepted; 511 by default, as in node:net. */
  readonly backlog?: number | undefined;
  /** Lets several sockets of one user share the port (SO_REUSEPORT). */
  readonly reusePort?: boolean | undefined;
  /** Keeps an IPv6 socket from taking IPv4 as well. */
  readonly ipv6Only?: boolean | undefined;
}

/** Where to receive datagrams for node:dgram, and the server through which to do it. */
export interface NodeBindOptions extends Omit<NodeListenOptions, "backlog"> {
  /** Lets several sockets bind the address, all of which get multicasts (SO_REUSEADDR). Like `reusePort` and
      `ipv6Only` it defaults to what `dgram.createSocket` was given. */
  readonly reuseAddr?: boolean | undefined;
}

const NODE_BACKLOG = 511;
const CONNECT_KEYS = [...THROUGH_KEYS, "host", "port", "localAddress", "localPort"] as const;
const PLACE_KEYS = [...THROUGH_KEYS, "host", "port", "reusePort", "ipv6Only"] as const;

/* node:net would connect it anew in this process's own namespace, and some libraries do that with a socket they get. */
function refuseAgain(): never {
  throw misuse(
    "connect a socket of nodeConnect again",
    "it would be one of the program's own namespace",
    "Call nodeConnect for each connection.",
    "ENOTSUP",
  );
}

/**
 * net.connect from the target namespace. It resolves once the connection is established; for TLS give the
 * socket to `tls.connect({ socket })`. The socket's own `connect` is refused (ENOTSUP).
 *
 * @throws {XSocketError} as connect
 * @example
 * const socket = await nodeConnect({ via: "/run/xsocket/vpn", host: "10.64.0.1", port: 25 });
 * socket.on("data", (data) => console.log(data.toString()));
 */
export async function nodeConnect(given: NodeConnectOptions): Promise<net.Socket> {
  const options = refuseUnknown("connect", given, CONNECT_KEYS);
  const host = hostOf("connect", options) || "localhost"; // Node, too, takes "" for no host
  const port = checkPort(`connect to ${host}`, options.port);
  using socket = await connectedSocket({ ...options, hostname: host, port });
  try {
    const connected = adoptNodeConnection(socket.fd, withoutBrackets(host));
    socket.take();
    return Object.assign(connected, { connect: refuseAgain });
  } catch (error) {
    throw failed(error, pathOf(options.via), `connect to ${hostPort(host, port)}`);
  }
}

function refuseTwice({ listening }: net.Server): void {
  if (listening)
    throw misuse("listen", "the server listens already", "Close it first, or make another one.");
}

/* Ends the binding when the server is closed meanwhile: it would listen all the same. Bun's http server then emits
   nothing, so the method itself is watched. */
async function boundUnlessClosed(
  server: net.Server,
  plan: BindPlan,
  options: Through,
): Promise<Bound> {
  const closed = new AbortController();
  const { close } = server; // oxlint-disable-line typescript/unbound-method -- called with the server
  const watched: typeof close = (done) => {
    const of = { server: pathOf(options.via), asked: askedOf(plan) };
    closed.abort(new XSocketError({ code: "ECANCELED", step: "listen", ...of }));
    return close.call(server, done);
  };
  server.close = watched;
  try {
    const signals = [closed.signal, options.signal ?? []].flat();
    return await bound(plan, { ...options, signal: AbortSignal.any(signals) });
  } finally {
    if (server.close === watched) server.close = close; // else it is that of another call
  }
}

/* node:dgram takes descriptor 0 for none, and would bind a socket of this process's own namespace instead. */
function aboveZero(socket: OwnedSocket): OwnedSocket {
  if (socket.fd > 0) return socket;
  const sys = loadSyscalls();
  const other = new OwnedSocket(checked("eventfd", sys.eventfd()), socket); // any free number
  checked("dup3", sys.dupOnto(socket.fd, other.fd));
  return other;
}

/*
 * Lets Bun adopt a socket, which stays the caller's until it listens. Then `settle` sets what is left to set,
 * before any other listener of "listening" runs: one might close the socket, and its number could then be
 * another's. If `settle` throws, the socket, which is Bun's by then, is closed.
 */
async function adopted(
  emitter: net.Server | dgram.Socket,
  socket: OwnedSocket,
  start: (fd: number) => void,
  settle: (fd: number) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const ready = (): void => {
    emitter.off("close", closed);
    try {
      resolve(settle(socket.take()));
    } catch (error) {
      emitter.close();
      reject(error);
    }
  };
  const isServer = emitter instanceof net.Server;
  const refused = (error: Error): void => reject(refusal(error, isServer ? "listen" : "open"));
  // "listening" never comes then, and Bun has closed the socket
  const closed = (): void => {
    socket.take();
    reject(new SyscallError(isServer ? "listen" : "bind", errno.ECANCELED));
  };
  emitter.prependOnceListener("listening", ready).once("error", refused).once("close", closed);
  try {
    start(socket.fd);
    await promise;
  } finally {
    emitter.off("listening", ready).off("error", refused).off("close", closed);
  }
}

/**
 * server.listen in the target namespace, for servers of node:net, node:tls, node:http and node:http2.
 * For HTTPS give the connections of a tls server to an http server, as the second example shows.
 *
 * @throws {XSocketError} as listen; ENOTSUP for a server of node:https, which Bun cannot feed; ECANCELED if the
 *   server is closed meanwhile
 * @example
 * const server = http.createServer((_, response) => response.end("hello"));
 * await nodeListen(server, { via: "/run/xsocket/lan", port: 8080 });
 * @example
 * const pages = http.createServer((_, response) => response.end("secret"));
 * const secure = tls.createServer({ key, cert }, (socket) => void pages.emit("connection", socket));
 * await nodeListen(secure, { via: "/run/xsocket/lan", port: 8443 });
 */
export async function nodeListen<Server extends net.Server>(
  server: Server,
  given: NodeListenOptions = {},
): Promise<Server> {
  if (server instanceof https.Server)
    throw misuse(
      "listen with a server of node:https",
      "Bun cannot give it connections",
      'Use tls.createServer(options, (socket) => httpServer.emit("connection", socket)), or serve.',
      "ENOTSUP",
    );
  // an app of Express, for one, has a listen() that makes a server of its own, for which Bun would open another socket
  if (!(server instanceof http.Server || server instanceof net.Server))
    throw misuse(
      "listen",
      `the server is ${inspect(server, { depth: -1 })}`,
      "Give a server of Node's modules, such as http.createServer(app).",
    );
  refuseTwice(server);
  const options = refuseUnknown("listen", given, [...PLACE_KEYS, "backlog"]);
  const backlog = checkBacklog("listen", options.backlog ?? NODE_BACKLOG);
  const host = hostOf("listen at", options) || undefined;
  const plan = bindPlan("listen at", "stream", host, options.port ?? 0, options);
  const { socket: owned, ip } = await boundUnlessClosed(server, plan, options);
  using socket = owned;
  try {
    refuseTwice(server); // another call may have come first
    listenAt(socket.fd, backlog);
    const acceptor = server instanceof http.Server ? feed(server) : server;
    const start = (fd: number): void => void acceptor.listen(adoptable(fd));
    await adopted(acceptor, socket, start, (fd) => listenAt(fd, backlog)); // Bun sets its own
  } catch (error) {
    throw failedAt(ip, withoutOurLines(error), plan, pathOf(options.via));
  }
  return server;
}

/**
 * socket.bind in the target namespace, for sockets of node:dgram of either type.
 *
 * @throws {XSocketError} as udp
 * @example
 * const socket = await nodeBind(dgram.createSocket("udp4"), { via: "/run/xsocket/lan", port: 5353 });
 */
export async function nodeBind(
  socket: dgram.Socket,
  given: NodeBindOptions = {},
): Promise<dgram.Socket> {
  if (typeof socket?.send !== "function")
    throw misuse(
      "bind",
      `the socket is ${inspect(socket, { depth: -1 })}`,
      "Give a socket of node:dgram.",
    );
  const options = refuseUnknown("bind", given, [...PLACE_KEYS, "reuseAddr"]);
  // Not in the types of node:dgram, but both Node and Bun have it.
  const family = Reflect.get(socket, "type") === "udp6" ? 6 : 4;
  const host = hostOf("bind", options) || ANY[family].address;
  const by = madeWith(socket);
  const { reuseAddr = by.reuseAddr, reusePort = by.reusePort, ipv6Only = by.ipv6Only } = options;
  const flags = { reuseAddr, reusePort, ipv6Only };
  const plan = bindPlan("receive datagrams at", "dgram", host, options.port ?? 0, flags);
  const { socket: owned, ip } = await bound({ ...plan, family }, options);
  using made = owned;
  const start = (fd: number): void => void socket.bind(adoptable(fd));
  const settle = (fd: number): void => {
    if (!plan.reuseAddr) setOption(fd, "SO_REUSEADDR", 0); // Bun sets it after bind: see udp
  };
  try {
    using numbered = aboveZero(made);
    await adopted(socket, numbered, start, settle);
  } catch (error) {
    throw failedAt(ip, withoutOurLines(error), plan, pathOf(options.via));
  }
  return socket;
}
