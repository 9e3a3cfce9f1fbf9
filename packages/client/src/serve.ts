import { inspect } from "node:util";
import type { Serve, Server } from "bun";
import { hostPort } from "./_address.ts";
import {
  askedOf,
  type BindPlan,
  bindPlan,
  type Bound,
  bound,
  boundSync,
  failedAt,
  setBacklog,
} from "./_bound.ts";
import { describe, refusal } from "./_bun.ts";
import { earlierServer, hotId, rememberServer } from "./_hot.ts";
import { BUN_BACKLOG, checkBacklog, hostOf, refuseKeys } from "./_options.ts";
import { startMoved } from "./_move.ts";
import { startRelayed } from "./_relay.ts";
import { listenAt, setOption } from "./_socket.ts";
import { forBun, HOST_KEYS, pathOf, type Through } from "./_through.ts";
import { refuseMisspelt } from "./_unknown.ts";

const DEFAULT_PORT = 3000;

/** What {@link serve} takes beside Bun.serve's options. */
export interface ServeExtras extends Through {
  /** The same as `hostname`, as node:http calls it. */
  readonly host?: string | undefined;
  /** How many connections may wait to be accepted; 512 by default. The kernel caps it at somaxconn. */
  readonly backlog?: number | undefined;
}
/**
 * Bun.serve's options, and the server through which to listen. `unix` and `http3`, which are refused, are not
 * among them, but the options of a program that are typed `Serve.Options` fit.
 */
export type ServeOptions<WebSocketData = undefined, R extends string = string> = Omit<
  Serve.HostnamePortServeOptions<WebSocketData>,
  "http3"
> &
  (
    | (Serve.FetchOrRoutes<WebSocketData, R> & { websocket?: never }) // without it, fetch must answer
    | Serve.FetchOrRoutesWithWebSocket<WebSocketData, R>
  ) &
  ServeExtras;

const NAMES = [...HOST_KEYS, "backlog", "port", "reusePort", "ipv6Only"] as const;
const REFUSED = {
  fd: "Leave fd out: the socket comes from the server.",
  unix: "UNIX sockets are not those of a network namespace: use Bun.serve.",
  http3:
    "HTTP/3 takes a UDP socket that Bun makes itself: serve HTTP/1 or HTTP/2, or run the program with xsocket run.",
};

function isPort(text = ""): boolean {
  return /^\d+$/.test(text) && Number(text) <= 65_535;
}

/* As in Bun.serve: the first of these variables that holds a port. */
function defaultPort(): number {
  const { BUN_PORT, PORT, NODE_PORT } = process.env;
  return Number([BUN_PORT, PORT, NODE_PORT].find((text) => isPort(text)) ?? DEFAULT_PORT);
}

function planOf<Data, R extends string>(options: ServeOptions<Data, R>): BindPlan {
  const hostname = hostOf("serve", options) || undefined; // Bun, too, takes "" for no hostname
  const asked = `serve at ${hostname ?? "*"}`;
  refuseKeys(asked, options, REFUSED);
  checkBacklog(asked, options.backlog ?? BUN_BACKLOG);
  return bindPlan("serve at", "stream", hostname, options.port ?? defaultPort(), options);
}

/* Identifies a server across the runs of a program under --hot. */
function nameOf(options: { readonly id?: string | null } & Through, plan: BindPlan): string {
  return inspect([pathOf(options.via), options.id ?? askedOf(plan)]); // not checked yet: they may be of any type
}

/* server.fetch() with relative URLs: Bun would resolve them against the address of its own listener. */
function fetchOf<Data>(server: Server<Data>, base: URL | string): Server<Data>["fetch"] {
  const ask = server.fetch.bind(server);
  return (request, ...rest) => {
    if (typeof request !== "string" || !/^\/(?!\/)/.test(request)) return ask(request, ...rest);
    const url = Object.assign(new URL(request, base), { hash: "" });
    return ask(url.href, ...rest);
  };
}

/* Makes a bound socket the listener of a server of Bun: the fast way (_move.ts), else through a relay. */
function start<WebSocketData, R extends string>(
  options: ServeOptions<WebSocketData, R>,
  plan: BindPlan,
  { socket: owned, ip, port }: Bound,
): Server<WebSocketData> {
  using socket = owned; // Bun has a copy
  const { fd } = socket;
  const bun = forBun(options, NAMES);
  const run = (place: object): Server<WebSocketData> => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the place was exchanged
    return Bun.serve({ ...bun, ...hotId(options.id), ...place } as Serve.Options<WebSocketData, R>);
  };
  const backlog = options.backlog ?? BUN_BACKLOG;
  try {
    listenAt(fd, backlog);
    setOption(fd, "TCP_DEFER_ACCEPT", 1); // as Bun.serve does
    const server =
      startMoved(() => run({ hostname: "127.0.0.1", port: 0 }), fd) ??
      startRelayed(bun, run, { socket, ip, port });
    setBacklog(server, fd, backlog);
    const hostname = plan.hostname ?? "localhost";
    const urlOf = (host: string): string =>
      `${server.protocol ?? "http"}://${hostPort(host, port)}/`;
    const url = URL.parse(urlOf(hostname)) ?? new URL(urlOf(ip.address)); // a URL cannot hold a scope
    const base = plan.hostname === undefined ? urlOf("0.0.0.0") : url; // as Bun's
    describe(server, { hostname, url, fetch: fetchOf(server, base) });
    rememberServer(nameOf(options, plan), server);
    return server;
  } catch (error) {
    throw failedAt(ip, refusal(error, "listen"), plan, pathOf(options.via));
  }
}

/**
 * Bun.serve in the target namespace: fetch, routes, WebSocket, TLS, reload and stop are Bun's own, and
 * `server.requestIP` tells the real client. Without `hostname` it listens at every address there.
 *
 * @throws {XSocketError} EADDRINUSE, EADDRNOTAVAIL, EACCES at step bind; ENOENT, ECONNREFUSED, … at
 *   step reach; ENOTSUP for `unix`, `fd` and `http3`
 * @throws the reason of `signal` once that is aborted before it listens
 * @example
 * const server = await serve({
 *   via: "/run/xsocket/lan",
 *   port: 8080,
 *   fetch: (request, server) => new Response(`hello ${server.requestIP(request)?.address}`),
 * });
 */
export async function serve<WebSocketData = undefined, R extends string = never>(
  given: ServeOptions<WebSocketData, R>,
): Promise<Server<WebSocketData>> {
  const options = refuseMisspelt("serve", given, NAMES);
  const plan = planOf(options);
  const earlier = earlierServer<WebSocketData>(nameOf(options, plan));
  if (earlier) return earlier.reload(options);
  return start(options, plan, await bound(plan, options));
}

/**
 * Like {@link serve}, but the thread waits for the server, and `hostname` must be an address or a name
 * of /etc/hosts. For code that needs the server at once, as Bun.serve gives it.
 *
 * @throws {XSocketError} as {@link serve}; ENOTSUP for a name that is not in /etc/hosts
 * @example
 * const server = serveSync({ via: "/run/xsocket/lan", port: 0, fetch: () => new Response("hello") });
 */
export function serveSync<WebSocketData = undefined, R extends string = never>(
  given: ServeOptions<WebSocketData, R>,
): Server<WebSocketData> {
  const options = refuseMisspelt("serve", given, NAMES);
  const plan = planOf(options);
  const earlier = earlierServer<WebSocketData>(nameOf(options, plan));
  if (earlier) return earlier.reload(options);
  return start(options, plan, boundSync(plan, options));
}
