import type {
  FdSocketOptions,
  Socket,
  SocketHandler,
  TCPSocketConnectOptions,
  TLSOptions,
} from "bun";
import { hostPort } from "./_address.ts";
import { adoptConnection, NO_FD, notTaken } from "./_bun.ts";
import { connectedSocket, type Peer } from "./_connected.ts";
import { openFor, tlsFor } from "./_server-name.ts";
import { forBun, HOST_KEYS, pathOf, type Through } from "./_through.ts";
import { refuseMisspelt } from "./_unknown.ts";
import { allOf, checkHandlers, checkPort, flagOf, hostOf, misuse, refuseKeys } from "./_options.ts";
import { failed, withoutOurLines } from "./error.ts";
import type { OwnedSocket } from "./owned.ts";

/** Bun.connect's options, and the server through which to connect. */
export interface ConnectOptions<Data = undefined>
  extends Omit<TCPSocketConnectOptions<Data>, "hostname" | "exclusive">, Through {
  /** The peer's address, or its name, which is looked up in the target namespace. */
  readonly hostname?: string | undefined;
  /** The same as `hostname`, as node:net calls it. */
  readonly host?: string | undefined;
  /** The address of the target namespace to connect from; its routes decide by default. */
  readonly localAddress?: string | undefined;
  /** The port to connect from; any by default. */
  readonly localPort?: number | undefined;
}

const NAMES = [...HOST_KEYS, "localAddress", "localPort", "port", "reusePort", "ipv6Only"] as const;
const REFUSED = {
  fd: "Leave fd out: the socket comes from the server. Bun.connect adopts a descriptor of your own.",
  unix: "UNIX sockets are not those of a network namespace: use Bun.connect.",
  exclusive: "It is for listening: leave it out.",
};

/*
 * Calls the user's connectError with a socket that never was open, as Bun does: Bun gets a descriptor that it cannot
 * adopt. Returns what connect is to throw: what connectError threw or gave back as an error, if it did, else the error,
 * after a call of `told`.
 */
async function reportConnectError<Data>(
  { socket: handler, data }: ConnectOptions<Data>,
  error: unknown,
  told: () => void,
): Promise<unknown> {
  if (!(error instanceof Error && handler.connectError)) return error;
  let thrown: unknown = error;
  const relay: SocketHandler<Data> = {
    data() {},
    connectError(socket) {
      try {
        const result = handler.connectError?.call(socket, socket, error);
        if (result instanceof Error) thrown = result;
        return result;
      } catch (own) {
        thrown = own;
      }
    },
  };
  const given = data !== undefined && { data };
  await adoptConnection<Data>({ ...given, fd: NO_FD, socket: relay }).catch(() => {});
  if (thrown === error) told();
  return thrown;
}

/* With await, since across catch() an error's stack would not lead to the caller of connect. */
async function connectedOrReported<Data>(
  peer: Peer,
  options: ConnectOptions<Data>,
  told: () => void,
): Promise<OwnedSocket> {
  try {
    return await connectedSocket(peer);
  } catch (error) {
    throw await reportConnectError(options, error, told);
  }
}

/* Has Bun adopt a connection. Gives undefined if it does not: the descriptor stays the caller's. */
async function adopt<Data>(
  given: FdSocketOptions<Data>,
  hostname: string,
): Promise<Socket<Data> | undefined> {
  let isRefused = false;
  const connectError = (): void => void (isRefused = true);
  const get = (_: object, name: PropertyKey): unknown => {
    if (name === "connectError") return connectError;
    const handler: unknown = Reflect.get(given.socket, name);
    return name === "open" ? openFor(handler, hostname) : handler;
  };
  const socket = new Proxy<SocketHandler<Data>>({}, { get }); // a copy would read getters that Bun does not read
  try {
    return await adoptConnection<Data>({ ...given, socket });
  } catch (error) {
    if (isRefused) return undefined;
    throw withoutOurLines(error); // about the options
  }
}

/* Whether Bun reads files for TLS options, as it does each time that it gets them: a pipe can be read only once. */
function readsFiles(tls: TLSOptions | boolean): boolean {
  return Object.entries(allOf(tls)).some(
    ([name, value]) => name.endsWith("File") || [value].flat().some((one) => one instanceof Blob),
  );
}

/* What connect does. Calls `told` before it fails with an error that connectError has got. */
async function connected<Data>(
  given: ConnectOptions<Data>,
  told: () => void,
): Promise<Socket<Data>> {
  const options = refuseMisspelt("connect", given, NAMES);
  refuseKeys("connect", options, REFUSED);
  const hostname = hostOf("connect", options);
  if (!hostname) throw misuse("connect", "hostname is missing", "Give a host name or IP address.");
  checkHandlers("connect", options.socket);
  const asked = `connect to ${hostname}`;
  const reusePort = flagOf(asked, options, "reusePort");
  const ipv6Only = flagOf(asked, options, "ipv6Only");
  const peer = { ...options, hostname, port: checkPort(asked, options.port), reusePort, ipv6Only };
  const tls = tlsFor(options.tls ?? false, hostname);
  const forAdoption = { ...forBun(options, NAMES), tls };
  // refuses wrong ones before anything is connected
  await adopt<Data>({ ...forAdoption, fd: NO_FD, tls: !readsFiles(tls) && tls }, hostname);
  using socket = await connectedOrReported(peer, options, told);
  const made = await adopt<Data>({ ...forAdoption, fd: socket.fd }, hostname);
  if (!made) {
    const place = `connect to ${hostPort(hostname, peer.port)}`;
    const failure = failed(notTaken(), pathOf(options.via), place);
    throw await reportConnectError(options, failure, told);
  }
  socket.take();
  return made;
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
export function connect<Data = undefined>(given: ConnectOptions<Data>): Promise<Socket<Data>> {
  // whose connectError has got the error need not await the promise as well, as with Bun
  const connecting = connected(given, () => void connecting.catch(() => {}));
  return connecting;
}
