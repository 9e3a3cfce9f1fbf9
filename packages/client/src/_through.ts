import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { LIMIT_KEYS, type Limits } from "./_deadline.ts";
import { Session } from "./session.ts";

/** How host names become addresses. */
export interface Naming {
  /**
   * Returns the IP addresses of a host name, best first, instead of /etc/hosts and the name servers.
   *
   * @example
   * const lookup = (hostname: string) => (hostname === "printer" ? ["10.0.0.9"] : []);
   * using fetch = fetchVia("/run/xsocket/lan", { lookup });
   */
  readonly lookup?:
    | ((hostname: string) => readonly string[] | Promise<readonly string[]>)
    | undefined;
  /** IP addresses of name servers, reached from the target namespace; those of /etc/resolv.conf by default. */
  readonly nameservers?: readonly string[] | undefined;
}

/** Which server, how names are looked up, and how long it may take. */
export interface Through extends Limits, Naming {
  /** The server's control socket, `/run/xsocket/default` by default, or a session with it. */
  readonly via?: string | Session | undefined;
}

export const THROUGH_KEYS = ["via", ...LIMIT_KEYS, "lookup", "nameservers"] as const;

/** The control socket's path, for errors and for the synchronous forms. */
export function pathOf(via: string | Session = DEFAULT_ADDRESS): string {
  return via instanceof Session ? via.via : via;
}

/** {@link THROUGH_KEYS} with the two names for a host. */
export const HOST_KEYS = [...THROUGH_KEYS, "host", "hostname"] as const;

/** What is left for Bun: the options without those that were applied already. */
export function forBun<Options extends object, Applied extends keyof Options>(
  options: Options,
  applied: readonly Applied[],
): Omit<Options, Applied> {
  const rest = { ...options };
  for (const name of applied) Reflect.deleteProperty(rest, name);
  return rest;
}
