import { ANY, hostPort, type IpAddress, ipText, parseIp, withoutBrackets } from "./_address.ts";
import { Deadline } from "./_deadline.ts";
import { checkPort, misuse, wrongValue } from "./_options.ts";
import { resolve } from "./_resolve.ts";
import { bindTo, connectTo, setOption } from "./_socket.ts";
import type { Through } from "./_through.ts";
import { failed, isUnusable } from "./error.ts";
import type { OwnedSocket } from "./owned.ts";
import { type Session, sessionFor } from "./session.ts";

/** A peer, and how to reach it. */
export interface Peer extends Through {
  readonly hostname: string;
  readonly port: number;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly reusePort?: boolean | undefined;
  readonly ipv6Only?: boolean | undefined;
}

/* What is the same for all addresses of a peer. */
interface Attempt {
  readonly peer: Peer;
  readonly session: Session;
  readonly local: IpAddress | undefined;
  readonly deadline: Deadline;
  readonly asked: string;
}

function localIp({ localAddress }: Peer, asked: string): IpAddress | undefined {
  if (!localAddress) return undefined; // Node, too, takes "" for none
  const ip = typeof localAddress === "string" ? parseIp(localAddress) : undefined;
  if (ip) return ip;
  throw wrongValue(asked, "localAddress", localAddress, "Give an IP address.");
}

/* The peer's addresses that can be connected to from the local one: of the same IP version. */
async function addressesOf({ peer, local, deadline, asked }: Attempt): Promise<IpAddress[]> {
  const ips = await resolve(peer.hostname, peer, deadline, asked);
  const found = local ? ips.filter(({ family }) => family === local.family) : ips;
  if (found.length > 0) return found;
  const remedy = "Give a localAddress of the peer's IP version, or none.";
  throw misuse(asked, `${peer.hostname} has no IPv${local?.family} address`, remedy);
}

/* Getting the socket may take all the time that is left: a slow xsocket server says nothing about this address,
   and would be as slow for the next one. */
async function connectOne(
  { peer, session, local, deadline, asked }: Attempt,
  ip: IpAddress,
  shares: number,
): Promise<OwnedSocket> {
  const kind = { family: ip.family, type: "stream", nonblocking: true } as const;
  const socket = await session.socket({ ...kind, ...deadline.limits() });
  try {
    if (peer.reusePort) setOption(socket.fd, "SO_REUSEPORT", 1);
    if (peer.ipv6Only && ip.family === 6) setOption(socket.fd, "IPV6_V6ONLY", 1);
    if (local || peer.localPort) {
      const port = checkPort(asked, peer.localPort || 0, "localPort");
      setOption(socket.fd, "SO_REUSEADDR", 1); // as node:net, for a port whose last connection ended in the last minute
      bindTo(socket.fd, local ?? ANY[ip.family], port);
    }
    const timeoutMs = Math.max(1, Math.ceil(deadline.leftMs() / shares));
    await connectTo(socket.fd, ip, peer.port, new Deadline({ signal: deadline.signal, timeoutMs }));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
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
function failedAt({ peer, session, asked }: Attempt, ip: IpAddress, error: unknown): unknown {
  const { hostname, port } = peer;
  const address = ipText(ip);
  const at = address === withoutBrackets(hostname) ? asked : `${asked} at ${address}`;
  return failed(error, session.via, at, { syscall: "connect", address, port });
}

/**
 * Connects a socket of the target namespace: each address of the peer in turn, with an equal share
 * of the time that is left once it has its socket.
 *
 * @throws {XSocketError} of the last address that could be used; the signal's reason
 */
export async function connectedSocket(peer: Peer): Promise<OwnedSocket> {
  const asked = `connect to ${hostPort(peer.hostname, peer.port)}`;
  const session = sessionFor(peer.via);
  const deadline = new Deadline(peer);
  const attempt = { peer, session, local: localIp(peer, asked), deadline, asked };
  const ips = await addressesOf(attempt);
  // awaited, so that an error's stack leads to the caller of connect
  return await firstThatDoes(ips, deadline, async (ip, left) => {
    try {
      return await connectOne(attempt, ip, left);
    } catch (error) {
      throw failedAt(attempt, ip, error);
    }
  });
}
