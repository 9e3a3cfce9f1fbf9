import { ANY, hostPort, type IpAddress, ipText, parseIp } from "./_address.ts";
import { Deadline } from "./_deadline.ts";
import { checkPort, flagOf, misuse } from "./_options.ts";
import { literalIp, localAddresses, resolve, textOf } from "./_resolve.ts";
import { bindTo, boundPort, listenAt, setOption } from "./_socket.ts";
import { pathOf, type Through } from "./_through.ts";
import { failed, isUnusable } from "./error.ts";
import type { OwnedSocket } from "./owned.ts";
import { sessionFor } from "./session.ts";
import { xsocketSync } from "./xsocket.ts";

/** Which address to bind, and how. */
export interface BindPlan {
  readonly type: "stream" | "dgram";
  /** Undefined for all addresses of the target namespace, of both families if it has IPv6. */
  readonly hostname: string | undefined;
  /** The addresses of `hostname`, if they are known already. */
  readonly ips?: readonly IpAddress[] | undefined;
  /** The only IP version allowed; either by default. */
  readonly family?: 4 | 6 | undefined;
  readonly port: number;
  readonly reuseAddr: boolean;
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
  /** For error messages, for example "listen at". */
  readonly verb: string;
}

/** A bound socket of the target namespace. */
export interface Bound {
  readonly socket: OwnedSocket;
  readonly ip: IpAddress;
  /** The port that it is bound to, never 0. */
  readonly port: number;
}

const EVERYWHERE: readonly IpAddress[] = [ANY[6], ANY[4]];

/**
 * Reads the options that are common to everything that binds.
 *
 * @throws {XSocketError} EINVAL
 */
export function bindPlan(
  verb: string,
  type: BindPlan["type"],
  hostname: string | undefined,
  port: unknown,
  options: object,
): BindPlan {
  const asked = `${verb} ${hostname ?? "*"}`;
  return {
    type,
    hostname,
    port: checkPort(asked, port),
    reuseAddr: type === "stream" || flagOf(asked, options, "reuseAddr"),
    reusePort: flagOf(asked, options, "reusePort"),
    ipv6Only: flagOf(asked, options, "ipv6Only"),
    verb,
  };
}

/** "listen at [::1]:80", for error messages. */
export function askedOf({ verb, hostname, port }: BindPlan): string {
  return `${verb} ${hostPort(hostname ?? "*", port)}`;
}

/* Sets the options that Bun sets on its own sockets, and binds. The socket is closed on failure. */
function bindFresh(socket: OwnedSocket, ip: IpAddress, plan: BindPlan): Bound {
  try {
    if (plan.reuseAddr) setOption(socket.fd, "SO_REUSEADDR", 1);
    if (plan.reusePort) setOption(socket.fd, "SO_REUSEPORT", 1);
    if (ip.family === 6) setOption(socket.fd, "IPV6_V6ONLY", plan.ipv6Only ? 1 : 0);
    bindTo(socket.fd, ip, plan.port);
    return { socket, ip, port: boundPort(socket.fd) };
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** The error for a socket that could not be bound. For a listener its `syscall` is "listen" even if bind failed, as in Node and Bun. */
export function failedAt(ip: IpAddress, error: unknown, plan: BindPlan, via: string): unknown {
  const syscall = plan.type === "stream" ? "listen" : "bind";
  return failed(error, via, askedOf(plan), { syscall, address: ipText(ip), port: plan.port });
}

/**
 * Gets a socket of the target namespace and binds it.
 *
 * @throws {XSocketError} at any step; the signal's reason
 */
export async function bound(plan: BindPlan, through: Through): Promise<Bound> {
  const asked = askedOf(plan);
  const session = sessionFor(through.via);
  const deadline = new Deadline(through);
  const { hostname } = plan;
  const all =
    plan.ips ??
    (hostname === undefined ? EVERYWHERE : await resolve(hostname, through, deadline, asked));
  const ips = all.filter(({ family }) => family === (plan.family ?? family));
  if (ips.length === 0)
    throw misuse(
      asked,
      `${hostname} has no IPv${plan.family} address`,
      "Give one, or use a socket of the other IP version.",
      "EAFNOSUPPORT",
    );
  let failure: unknown;
  for (const ip of ips) {
    try {
      const kind = { family: ip.family, type: plan.type, nonblocking: true } as const;
      return bindFresh(await session.socket({ ...kind, ...deadline.limits() }), ip, plan);
    } catch (error) {
      failure = failedAt(ip, error, plan, session.via);
      if (!isUnusable(error)) break;
    }
  }
  throw failure;
}

/**
 * Sets the backlog of a listener that Bun has adopted, since Bun listens with its own.
 *
 * @throws {SyscallError} EADDRINUSE, after it has stopped the listener
 */
export function setBacklog(
  made: { stop(force: true): unknown },
  fd: number,
  backlog: number,
): void {
  try {
    listenAt(fd, backlog);
  } catch (error) {
    void made.stop(true);
    throw error;
  }
}

/* Only what needs no waiting: an address, or a name of /etc/hosts. */
function addressesNow(plan: BindPlan, { lookup }: Through): readonly IpAddress[] {
  const { hostname } = plan;
  if (hostname === undefined) return EVERYWHERE;
  const literal = literalIp(hostname);
  if (literal) return [literal];
  const local = lookup ? [] : localAddresses(textOf("/etc/hosts"), hostname);
  const ips = local.flatMap((address) => parseIp(address) ?? []);
  if (ips.length > 0) return ips;
  throw misuse(
    askedOf(plan),
    `${hostname} cannot be looked up without waiting`,
    "Give an IP address, or use the asynchronous form.",
    "ENOTSUP",
  );
}

/**
 * Like {@link bound}, but blocks the thread.
 *
 * @throws {XSocketError} at any step; ENOTSUP for a name that is not in /etc/hosts
 */
export function boundSync(plan: BindPlan, through: Through): Bound {
  const via = pathOf(through.via);
  const deadline = new Deadline(through);
  const ips = addressesNow(plan, through);
  let failure: unknown;
  for (const ip of ips) {
    try {
      const kind = { family: ip.family, type: plan.type, nonblocking: true } as const;
      return bindFresh(xsocketSync({ via, ...kind, ...deadline.limits() }), ip, plan);
    } catch (error) {
      failure = failedAt(ip, error, plan, via);
      if (!isUnusable(error)) break;
    }
  }
  throw failure;
}
