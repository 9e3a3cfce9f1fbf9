import type { GivenBounds } from "./bounds.ts";
import type { Log, LogLevel } from "./log.ts";
import type { Policy } from "./policy/rule.ts";

/**
 * What a server is started with. Every option has a default.
 *
 * @example
 * ```ts
 * await using server = await serve({ address: "/run/xsocket/vpn", group: "media" });
 * await server.closed;
 * ```
 */
export interface ServeOptions extends GivenBounds {
  /** Where to listen: a path, or `@name` in the abstract namespace. "/run/xsocket/default" by default. */
  readonly address?: string | undefined;
  /** Permission bits of the socket file, 0o660 by default. Refused (MISUSE) with `@name` and `listenFd`. */
  readonly mode?: number | undefined;
  /** The socket file's group, by name or number; the server's own by default. Refused as `mode` is. */
  readonly group?: string | number | undefined;
  /** Allow a directory that others may write to, provided it is sticky, like /tmp. */
  readonly sharedDirectory?: boolean | undefined;
  /**
   * Let no client attach descriptors to its requests: sendmsg(2) gives it EPERM. The protocol allows them, but
   * nobody needs them, and closing them takes a serving thread time (docs/security.md). Needs Linux 6.16.
   */
  readonly refuseDescriptors?: boolean | undefined;
  /**
   * A listening AF_UNIX SOCK_SEQPACKET descriptor to serve instead of `address`. Once it is found to be one, the
   * server owns it: a start that fails after that closes it, one that fails before does not (MISUSE, LIMIT,
   * LISTEN_FD, and SYSTEM if RLIMIT_NOFILE cannot be read).
   */
  readonly listenFd?: number | undefined;
  /** Whether the file of `listenFd` is removed at the end: for a program that made it and then became another user. */
  readonly ownsFile?: boolean | undefined;
  /** A file that gets a JSON line for each request for a socket. reload() opens it anew. */
  readonly auditFile?: string | undefined;
  /**
   * Serving threads at most, from 1 to 64; {@link DEFAULT_THREADS} by default. Each takes 4 to 20 MB of memory,
   * 30 with `auditFile`. One is started at once, the others when kept-open connections ask at the same time.
   */
  readonly threads?: number | undefined;
  /**
   * Who may ask for what: rules, or a function that reads them for the server's address, which reload()
   * calls again. By default ordinary sockets for everyone who can connect; with `@name` for root and
   * the server's own user.
   */
  readonly policy?: Policy | ((address: string) => Policy | Promise<Policy>) | undefined;
  /** Takes the server's log records, which are dropped by default. What it throws is an uncaught exception. */
  readonly log?: Log | undefined;
  /** Records below this level are not made; "info" by default. "debug" has one for each socket that is handed over. */
  readonly logLevel?: LogLevel | undefined;
}

/** Serving threads at most unless the option says otherwise. */
export const DEFAULT_THREADS = 4;
/** The most serving threads that the option takes. */
export const MAX_THREADS = 64;
/** The least urgent level that is logged unless the option says otherwise. */
export const DEFAULT_LOG_LEVEL: LogLevel = "info";
/** Permission bits of the socket file unless the option says otherwise. */
export const DEFAULT_MODE = 0o660;
