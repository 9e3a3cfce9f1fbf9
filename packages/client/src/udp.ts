import type { udp as bun } from "bun";
import { ANY, hostPort, type IpAddress } from "./_address.ts";
import { askedOf, type BindPlan, bindPlan, type Bound, bound } from "./_bound.ts";
import { adoptDatagrams, describe } from "./_bun.ts";
import { Deadline } from "./_deadline.ts";
import { checkPort, hostOf, misuse, refuseKeys } from "./_options.ts";
import { literalIp, resolve } from "./_resolve.ts";
import { connectTo, scopeIndex, setOption } from "./_socket.ts";
import { forBun, HOST_KEYS, pathOf, type Through } from "./_through.ts";
import { refuseMisspelt } from "./_unknown.ts";
import { firstThatDoes } from "./_connected.ts";
import { failed } from "./error.ts";
import type { OwnedSocket } from "./owned.ts";

/** What {@link udp} takes beside Bun.udpSocket's options. */
export interface UdpExtras extends Through {
  /** The address, or a name that resolves to one, in the target namespace; all of IPv4 by default. */
  readonly hostname?: string | undefined;
  /** 0 by default: any free port. */
  readonly port?: number | undefined;
  /** The same as `hostname`, as nodeBind calls it. */
  readonly host?: string | undefined;
  /** Lets several sockets of one user share the port and the datagrams (SO_REUSEPORT). */
  readonly reusePort?: boolean | undefined;
  /** Lets several sockets bind the address, all of which get multicasts (SO_REUSEADDR). */
  readonly reuseAddr?: boolean | undefined;
  /** Keeps an IPv6 socket from receiving over IPv4 as well. */
  readonly ipv6Only?: boolean | undefined;
}
/** Options for a socket that talks to anybody. */
export type UdpOptions<Type extends Bun.BinaryType = "buffer"> = Omit<
  bun.SocketOptions<Type>,
  keyof UdpExtras
> &
  UdpExtras;
/** Options for a socket that talks to one peer. */
export type UdpConnectOptions<Type extends Bun.BinaryType = "buffer"> = Omit<
  bun.ConnectSocketOptions<Type>,
  keyof UdpExtras
> &
  UdpExtras;

/* Bun's sockets are Disposable, though its types do not say so. */
type Made<Type extends Bun.BinaryType> = (bun.Socket<Type> | bun.ConnectedSocket<Type>) &
  Disposable;

const NAMES = [...HOST_KEYS, "reusePort", "reuseAddr", "ipv6Only", "port"] as const;
const REFUSED = {
  fd: "Leave fd out: the socket comes from the server. Bun.udpSocket adopts a descriptor of your own.",
  unix: "UNIX sockets are not those of a network namespace, and Bun has none for datagrams.",
};

/**
 * Bun.udpSocket connected to one peer: it sends to that one and receives from it alone. Without `hostname`
 * it is bound to every address of the peer's family.
 *
 * @throws {XSocketError} as without `connect`; ENOTFOUND at step resolve, ENETUNREACH, … at step connect,
 *   EAFNOSUPPORT for a `hostname` without the peer's IP version
 * @throws the reason of `signal` once that is aborted before the socket is there
 * @example
 * const peer = await udp({ via: "/run/xsocket/lan", connect: { hostname: "10.64.0.1", port: 53 } });
 */
export async function udp<Type extends Bun.BinaryType = "buffer">(
  options: UdpConnectOptions<Type>,
): Promise<bun.ConnectedSocket<Type> & Disposable>;
/**
 * Bun.udpSocket in the target namespace: the same handlers, the same socket. Without `hostname` it is
 * bound to every IPv4 address.
 *
 * @throws {XSocketError} EADDRINUSE, EADDRNOTAVAIL, EACCES at step bind; ENOTFOUND at step resolve;
 *   ENOENT, ECONNREFUSED, … at step reach
 * @throws the reason of `signal` once that is aborted before the socket is there
 * @example
 * const socket = await udp({
 *   via: "/run/xsocket/lan",
 *   port: 5353,
 *   socket: { data: (socket, data, port, address) => void socket.send(data, port, address) },
 * });
 */
export async function udp<Type extends Bun.BinaryType = "buffer">(
  options?: UdpOptions<Type>,
): Promise<bun.Socket<Type> & Disposable>;
export async function udp<Type extends Bun.BinaryType = "buffer">(
  asGiven: UdpOptions<Type> | UdpConnectOptions<Type> = {},
): Promise<Made<Type>> {
  const options = refuseMisspelt("receive datagrams", asGiven, NAMES);
  const hostname = hostOf("receive datagrams", options) || undefined; // Bun, too, takes "" for no hostname
  refuseKeys("receive datagrams", options, REFUSED);
  const deadline = new Deadline(options);
  const place = bindPlan("receive datagrams at", "dgram", hostname, options.port ?? 0, options);
  const asked = askedOf(place);
  const given = "connect" in options ? options.connect : undefined;
  const peers = given ? await peersOf(given, options, deadline) : undefined;
  const ips =
    hostname === undefined ? undefined : await resolve(hostname, options, deadline, asked);
  const plan = { ...place, ips };
  const open = (one: DatagramPeer | undefined) => opened(plan, one, options, deadline);
  const { socket: owned, ip, peer } = await firstThatDoes(peers ?? [undefined], deadline, open);
  using socket = owned;
  const connect = peer && { connect: { hostname: addressFor(socket, peer), port: peer.port } };
  const adopted = { ...forBun(options, NAMES), ...connect, fd: socket.fd };
  let opening: Promise<Made<Type>> | undefined;
  try {
    opening = adoptDatagrams<Type, Made<Type>>(adopted);
    const fd = socket.take();
    // Bun sets it after bind, which would let programs of other users share the port and its datagrams.
    if (!plan.reuseAddr) setOption(fd, "SO_REUSEADDR", 0);
  } catch (error) {
    (await opening)?.close(); // it is Bun's then
    throw failed(error, pathOf(options.via), asked);
  }
  const made = await opening;
  describe(made, { hostname: hostname ?? ip.address });
  return made;
}

interface DatagramPeer {
  readonly ip: IpAddress;
  readonly port: number;
  readonly asked: string;
}

/* Resolves the peer in the target namespace: Bun would ask the name servers of this process's own. */
async function peersOf(
  to: { readonly hostname: string; readonly port: number },
  through: Through,
  deadline: Deadline,
): Promise<DatagramPeer[]> {
  const hostname = hostOf("send datagrams", to);
  if (!hostname) throw misuse("send datagrams", "the peer has no hostname", "Give one in connect.");
  const port = checkPort(`send datagrams to ${hostname}`, to.port);
  const asked = `send datagrams to ${hostPort(hostname, port)}`;
  const ips = await resolve(hostname, through, deadline, asked);
  return ips.map((ip) => ({ ip, port, asked }));
}

/* The scope as an index: Bun would look its name up among the interfaces of this process's own namespace. */
function addressFor({ fd }: OwnedSocket, { ip }: DatagramPeer): string {
  return ip.scope === undefined ? ip.address : `${ip.address}%${scopeIndex(fd, ip.scope)}`;
}

/* Makes a socket that is bound, and connected if there is a peer. Bun connects it as well, but after a connect that
   fails within Bun nobody can tell whether the descriptor is closed. */
async function opened(
  plan: BindPlan,
  peer: DatagramPeer | undefined,
  through: Through,
  deadline: Deadline,
): Promise<Bound & { readonly peer: DatagramPeer | undefined }> {
  const hostname = plan.hostname ?? ANY[peer?.ip.family ?? 4].address;
  // a name has to have an address of the peer's IP version; a literal IPv6 address may reach an IPv4 peer, too
  const family = literalIp(hostname) ? undefined : peer?.ip.family;
  const limits = deadline.limits();
  const made = await bound({ ...plan, hostname, family }, { ...through, ...limits });
  const { socket, ip } = made;
  try {
    // as Bun does: ICMP errors reach error(), also those for a socket that is not connected
    setOption(socket.fd, "IP_RECVERR", 1);
    if (ip.family === 6) setOption(socket.fd, "IPV6_RECVERR", 1);
    if (peer) await connectTo(socket.fd, peer.ip, peer.port, deadline);
    return { ...made, peer };
  } catch (error) {
    socket.close();
    throw failed(error, pathOf(through.via), peer?.asked ?? askedOf(plan));
  }
}
