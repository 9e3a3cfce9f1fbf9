import type { TCPSocketListener, TCPSocketListenOptions } from "bun";
import {
  type BindPlan,
  bindPlan,
  type Bound,
  bound,
  boundSync,
  failedAt,
  setBacklog,
} from "./_bound.ts";
import { adoptListener, describe } from "./_bun.ts";
import {
  BUN_BACKLOG,
  checkBacklog,
  checkHandlers,
  flagOf,
  hostOf,
  misuse,
  refuseKeys,
} from "./_options.ts";
import { listenAt } from "./_socket.ts";
import { forBun, HOST_KEYS, pathOf, type Through } from "./_through.ts";
import { refuseMisspelt } from "./_unknown.ts";

/** Bun.listen's options, and the server through which to listen. */
export interface ListenOptions<Data = undefined>
  extends Omit<TCPSocketListenOptions<Data>, "hostname">, Through {
  /** The address, or a name that resolves to one, in the target namespace; all of them by default. */
  readonly hostname?: string | undefined;
  /** The same as `hostname`, as node:net calls it. */
  readonly host?: string | undefined;
  /** Lets several sockets of one user share the port (SO_REUSEPORT). */
  readonly reusePort?: boolean | undefined;
  /** Keeps an IPv6 socket from taking IPv4 connections as well. */
  readonly ipv6Only?: boolean | undefined;
  /** How many connections may wait to be accepted; 512 by default. The kernel caps it at somaxconn. */
  readonly backlog?: number | undefined;
}

const NAMES = [...HOST_KEYS, "reusePort", "ipv6Only", "backlog", "port", "exclusive"] as const;
const REFUSED = {
  fd: "Leave fd out: the socket comes from the server. Bun.listen adopts a descriptor of your own.",
  unix: "UNIX sockets are not those of a network namespace: use Bun.listen.",
};

function planOf<Data>(options: ListenOptions<Data>): BindPlan {
  const hostname = hostOf("listen", options);
  checkHandlers("listen", options.socket);
  const asked = `listen at ${hostname ?? "*"}`;
  if (hostname === "") throw misuse(asked, "hostname is empty", "Leave it out for every address.");
  refuseKeys(asked, options, REFUSED);
  const plan = bindPlan("listen at", "stream", hostname, options.port, options);
  if (flagOf(asked, options, "exclusive") && plan.reusePort)
    throw misuse(asked, "both exclusive and reusePort are set", "Set one of them.");
  checkBacklog(asked, options.backlog ?? BUN_BACKLOG);
  return plan;
}

/* Makes a bound socket a listener of Bun. */
function adopt<Data>(
  options: ListenOptions<Data>,
  plan: BindPlan,
  { socket, ip, port }: Bound,
): TCPSocketListener<Data> {
  try {
    const backlog = options.backlog ?? BUN_BACKLOG;
    const rest = forBun(options, NAMES);
    listenAt(socket.fd, backlog);
    const listener = adoptListener<Data>({ ...rest, fd: socket.fd });
    setBacklog(listener, socket.take(), backlog);
    describe(listener, { port, hostname: plan.hostname ?? ip.address });
    return listener;
  } catch (error) {
    socket.close();
    throw failedAt(ip, error, plan, pathOf(options.via));
  }
}

/**
 * Bun.listen in the target namespace: the same handlers, the same listener.
 *
 * @throws {XSocketError} EADDRINUSE, EADDRNOTAVAIL, EACCES at step bind; ENOENT, ECONNREFUSED, … at
 *   step reach; ENOTSUP for `unix` and `fd`
 * @throws the reason of `signal` once that is aborted before it listens
 * @example
 * const listener = await listen({
 *   via: "/run/xsocket/lan",
 *   port: 7000,
 *   socket: { data: (socket, data) => void socket.write(data) },
 * });
 * console.log(`echo at port ${listener.port}`);
 */
export async function listen<Data = undefined>(
  given: ListenOptions<Data>,
): Promise<TCPSocketListener<Data>> {
  const options = refuseMisspelt("listen", given, NAMES);
  const plan = planOf(options);
  return adopt(options, plan, await bound(plan, options));
}

/**
 * Like {@link listen}, but the thread waits for the server, and `hostname` must be an address or a
 * name of /etc/hosts. For code that needs the listener at once, as Bun.listen gives it.
 *
 * @throws {XSocketError} as {@link listen}; ENOTSUP for a name that is not in /etc/hosts
 * @example
 * const listener = listenSync({ via: "/run/xsocket/lan", port: 0, socket: { data() {} } });
 */
export function listenSync<Data = undefined>(given: ListenOptions<Data>): TCPSocketListener<Data> {
  const options = refuseMisspelt("listen", given, NAMES);
  const plan = planOf(options);
  return adopt(options, plan, boundSync(plan, options));
}
