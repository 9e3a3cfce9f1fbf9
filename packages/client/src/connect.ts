import { inspect } from "node:util";
import type {
  FdSocketOptions,
  Socket,
  SocketHandler,
  TCPSocketConnectOptions,
  TLSOptions,
} from "bun";
import { codeOf } from "@xsocket/xbind-native";
import { ANY, hostPort, type IpAddress, ipText, parseIp, withoutBrackets } from "./_address.ts";
import { adoptConnection, notTaken } from "./_bun.ts";
import { Deadline } from "./_deadline.ts";
import { resolve } from "./_resolve.ts";
import { bindTo, connectTo, setOption } from "./_socket.ts";
import { failedCall, forBun, HOST_KEYS, isDenied, pathOf, type Through } from "./_through.ts";
import { refuseMisspelt } from "./_unknown.ts";
import { checkHandlers, checkPort, flagOf, hostOf, misuse, refuseKeys } from "./_options.ts";
import { withoutOurLines } from "./error.ts";
import type { OwnedSocket } from "./owned.ts";
import { type Session, sessionFor } from "./session.ts";

/** Bun.connect's options, and the server through which to connect. */
export interface ConnectOptions<Data = undefined>
  extends Omit<TCPSocketConnectOptions<Data>, "hostname">, Through {
  /** The peer's address, or its name, which is looked up in the target namespace. */
  readonly hostname?: string | undefined;
  /** The same as `hostname`, as node:net calls it. */
  readonly host?: string | undefined;
  /** The address of the target namespace to connect from; its routes decide by default. */
  readonly localAddress?: string | undefined;
  /** The port to connect from; any by default. */
  readonly localPort?: number | undefined;
}

/** A peer, and how to reach it. */
interface Peer {
  readonly hostname: string;
  readonly port: number;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly reusePort?: boolean | undefined;
  readonly ipv6Only?: boolean | undefined;
}

const NAMES = [...HOST_KEYS, "localAddress", "localPort", "port", "reusePort", "ipv6Only"] as const;
const REFUSED = {
  fd: "Leave fd out: the socket comes from the server. Bun.connect adopts a descriptor of your own.",
  unix: "UNIX sockets are not those of a network namespace: use Bun.connect.",
};

function localIp({ localAddress }: Peer, asked: string): IpAddress | undefined {
  if ((localAddress ?? undefined) === undefined) return undefined;
  const ip = typeof localAddress === "string" ? parseIp(localAddress) : undefined;
  if (ip) return ip;
  throw misuse(asked, `localAddress is ${inspect(localAddress)}`, "Give an IP address.");
}

/* Those of the peer's addresses that can be connected to from the local one: of the same IP version. */
function reachableFrom(
  local: IpAddress | undefined,
  ips: readonly IpAddress[],
  { hostname }: Peer,
  asked: string,
): readonly IpAddress[] {
  const found = local ? ips.filter(({ family }) => family === local.family) : ips;
  if (found.length > 0) return found;
  const remedy = "Give a localAddress of the peer's IP version, or none.";
  throw misuse(asked, `${hostname} has no IPv${local?.family} address`, remedy);
}

/* Getting the socket may take all the time that is left: a slow xsocket server says nothing about this address,
   and would be as slow for the next one. */
async function connectOne(
  session: Session,
  ip: IpAddress,
  local: IpAddress | undefined,
  peer: Peer,
  deadline: Deadline,
  shares: number,
  asked: string,
): Promise<OwnedSocket> {
  const kind = { family: ip.family, type: "stream", nonblocking: true } as const;
  const socket = await session.socket({ ...kind, ...deadline.limits() });
  try {
    if (peer.reusePort) setOption(socket.fd, "SO_REUSEPORT", 1);
    if (peer.ipv6Only && ip.family === 6) setOption(socket.fd, "IPV6_V6ONLY", 1);
    if (local || peer.localPort !== undefined)
      bindTo(socket.fd, local ?? ANY[ip.family], checkPort(asked, peer.localPort ?? 0));
    const timeoutMs = Math.max(1, Math.ceil(deadline.leftMs() / shares));
    await connectTo(socket.fd, ip, peer.port, new Deadline({ signal: deadline.signal, timeoutMs }));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

const UNUSABLE = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "ENETUNREACH"]);

/* Whether an error means that the target namespace lacks this IP version, or the policy refuses it: that says
   little about the peer. */
function isUnusable(error: unknown): boolean {
  return isDenied(error) || UNUSABLE.has(codeOf(error));
}

/**
 * Tries each of a peer's addresses in turn, until one works or the time is over.
 *
 * @param attempt is told how many addresses are left, this one included
 * @throws the error of the last address that could be used
 */
export async function firstThatDoes<Address, Result>(
  addresses: readonly Address[],
  deadline: Deadline,
  attempt: (address: Address, left: number) => Promise<Result>,
): Promise<Result> {
  let failure: unknown;
  for (const [index, address] of addresses.entries()) {
    try {
      return await attempt(address, addresses.length - index);
    } catch (error) {
      if (!isUnusable(error) || failure === undefined) failure = error;
    }
    if (deadline.leftMs() === 0) break;
  }
  throw failure;
}

/* The error names the address that failed: a name may have several. */
function failedAt(
  ip: IpAddress,
  error: unknown,
  { hostname, port }: Peer,
  session: Session,
  asked: string,
): unknown {
  const address = ipText(ip);
  const at = address === withoutBrackets(hostname) ? asked : `${asked} at ${address}`;
  return failedCall(error, session.via, at, { syscall: "connect", address, port });
}

/**
 * Connects a socket of the target namespace: each address of the peer in turn, with an equal share
 * of the time that is left once it has its socket.
 *
 * @throws {XSocketError} of the last address that could be used; the signal's reason
 */
export async function connectedSocket(peer: Peer, through: Through): Promise<OwnedSocket> {
  const asked = `connect to ${hostPort(peer.hostname, peer.port)}`;
  const session = sessionFor(through.via);
  const deadline = new Deadline(through);
  const local = localIp(peer, asked);
  const all = await resolve({ ...through, session, deadline, asked }, peer.hostname);
  const ips = reachableFrom(local, all, peer, asked);
  // awaited, so that an error's stack leads to the caller of connect
  return await firstThatDoes(ips, deadline, async (ip, left) => {
    try {
      return await connectOne(session, ip, local, peer, deadline, left, asked);
    } catch (error) {
      throw failedAt(ip, error, peer, session, asked);
    }
  });
}

/*
 * Bun checks the peer's certificate against the host name, which it cannot know from a descriptor. The
 * options are inherited and not copied, since they may themselves inherit; what is no object is Bun's to refuse.
 */
function tlsFor(tls: TLSOptions | boolean, hostname: string): TLSOptions | boolean {
  if (tls !== true && (typeof tls !== "object" || tls === null || Array.isArray(tls))) return tls;
  const given: object = tls === true ? {} : tls;
  const serverName: unknown = Reflect.get(given, "serverName");
  const name = serverName === undefined ? Reflect.get(given, "servername") : serverName;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.create is typed any
  return Object.create(given, {
    serverName: { value: name || withoutBrackets(hostname) },
  }) as TLSOptions;
}

/*
 * Calls the user's connectError with a socket that never was open, as Bun does: Bun is made to fail at a
 * connection for that. Returns what connect is to throw: what connectError threw, if it did, else the error.
 */
async function reportConnectError<Data>(
  { socket: handler, data }: ConnectOptions<Data>,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof Error && handler.connectError)) return error;
  let thrown: unknown = error;
  const relay: SocketHandler<Data> = {
    data() {},
    connectError(socket) {
      try {
        return handler.connectError?.(socket, error);
      } catch (own) {
        thrown = own;
      }
    },
  };
  const nowhere = { unix: "/proc/self/no-such-socket", socket: relay };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Data is undefined where data is
  await Bun.connect<Data>({ ...nowhere, data: data as Data }).catch(() => {});
  return thrown;
}

/* With await, since across catch() an error's stack would not lead to the caller of connect. */
async function connectedOrReported<Data>(
  peer: Peer,
  options: ConnectOptions<Data>,
): Promise<OwnedSocket> {
  try {
    return await connectedSocket(peer, options);
  } catch (error) {
    throw await reportConnectError(options, error);
  }
}

/* Has Bun adopt a connection. If it does not, the descriptor stays the caller's, and connectError gets the error. */
async function adopt<Data>(
  given: FdSocketOptions<Data>,
  options: ConnectOptions<Data>,
  asked: string,
): Promise<Socket<Data>> {
  let isRefused = false;
  const connectError = { value: () => void (isRefused = true) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.create is typed any
  const socket = Object.create(given.socket, { connectError }) as SocketHandler<Data>;
  try {
    return await adoptConnection<Data>({ ...given, socket });
  } catch (error) {
    if (!isRefused) throw withoutOurLines(error); // about the options
    throw await reportConnectError(options, failedCall(notTaken(), pathOf(options.via), asked));
  }
}

/**
 * Bun.connect from the target namespace: the same handlers, the same socket. It resolves once the TCP
 * connection is established. With `tls` the handshake comes after that, and the certificate is checked against
 * its `serverName`, or else against `hostname`.
 *
 * @throws {XSocketError} ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT at step connect;
 *   ENOTFOUND at step resolve; ENOENT, … at step reach. `connectError` is called as well.
 * @throws the reason of `signal` once that is aborted
 * @example
 * const socket = await connect({
 *   via: "/run/xsocket/vpn",
 *   hostname: "10.64.0.1",
 *   port: 25,
 *   socket: { data: (_, data) => console.log(data.toString()) },
 * });
 */
export async function connect<Data = undefined>(
  options: ConnectOptions<Data>,
): Promise<Socket<Data>> {
  refuseMisspelt("connect", options, NAMES);
  refuseKeys("connect", options, REFUSED);
  const hostname = hostOf("connect", options);
  const { host: _, port, tls, exclusive, ...local } = options;
  if (!hostname) throw misuse("connect", "hostname is missing", "Give a host name or IP address.");
  checkHandlers("connect", options.socket);
  const asked = `connect to ${hostname}`;
  refuseKeys(asked, { exclusive }, { exclusive: "It is for listening: leave it out." });
  const reusePort = flagOf(asked, options, "reusePort");
  const ipv6Only = flagOf(asked, options, "ipv6Only");
  const peer = { ...local, hostname, port: checkPort(asked, port), reusePort, ipv6Only };
  using socket = await connectedOrReported(peer, options);
  const rest = forBun(local, "localAddress", "localPort", "reusePort", "ipv6Only");
  const adopted = { ...rest, tls: tlsFor(tls ?? false, hostname), fd: socket.fd };
  const connected = await adopt<Data>(
    adopted,
    options,
    `connect to ${hostPort(hostname, peer.port)}`,
  );
  socket.take();
  return connected;
}
