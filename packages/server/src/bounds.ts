import { checked } from "@xsocket/xbind-native";
import { attempt } from "./_failure.ts";
import { ServeError } from "./error.ts";

/** What clients can make a server hold. Each bound is an option of {@link serve}. */
export interface Bounds {
  /**
   * Connections at once, of all users together. With several users the last quarter is kept for those who
   * have at most 8.
   */
  readonly maxConnections: number;
  /** Connections at once for each user id. Unless it is set, it is at most three quarters of those of all. */
  readonly maxConnectionsPerUid: number;
  /**
   * Sockets sent and not yet received, of all users together. The last quarter is kept in the same way.
   */
  readonly maxInFlight: number;
  /** Sockets sent and not yet received, for each user id. Unless it is set, at most three quarters of all. */
  readonly maxInFlightPerUid: number;
  /** Milliseconds that a new connection has for its first request. */
  readonly firstRequestMs: number;
  /** Milliseconds that a client has to receive a reply. */
  readonly takeReplyMs: number;
  /** Connections that wait to be accepted; net.core.somaxconn caps it. */
  readonly backlog: number;
}

/** The bounds that options set. */
export type GivenBounds = { readonly [Name in keyof Bounds]?: Bounds[Name] | undefined };

/** The bounds that hold unless an option says otherwise; RLIMIT_NOFILE may lower the first four. */
export const DEFAULT_BOUNDS: Bounds = {
  maxConnections: 20_480,
  maxConnectionsPerUid: 10_240,
  maxInFlight: 8_192,
  maxInFlightPerUid: 2_048,
  firstRequestMs: 10_000,
  takeReplyMs: 10_000,
  backlog: 4_096,
};

/** Descriptors that are kept for everything but connections and threads: Bun's own, logs, metrics. */
const RESERVED_DESCRIPTORS = 48;
/** Descriptors of a thread: up to five that stay open, two of them Bun's, and three for a request: its socket, a pidfd, a command name. */
export const THREAD_DESCRIPTORS = 8;

/* A quarter of the total is kept for users who have fewer than 8: see limitFor. */
const KEPT_FOR_FEW = 4;
const FEW = 8;

/**
 * The total of connections, or of sockets in flight, below which a user gets one more. The last quarter is kept
 * for users with fewer than 8: else a few who give nothing back would stop all others. A user who is alone may
 * take it too, up to the bound for each user.
 *
 * @param own   how many that user has
 * @param taken how many all users have; too low for an instant, while another thread counts
 * @param all   the bound
 */
export function limitFor(own: number, taken: number, all: number): number {
  return own < FEW || own >= taken ? all : all - Math.floor(all / KEPT_FOR_FEW);
}

/** The largest value of a bound; the smallest is 1. */
export const BOUND_MAX = 0x7fffffff;

/* One bound as asked for, or its default. */
function bound(given: GivenBounds, name: keyof Bounds): number {
  return given[name] ?? DEFAULT_BOUNDS[name];
}

/* A user's bound: as asked for, else the default. If that does not fit, what is left beside the kept part of the total. */
function share(given: GivenBounds, name: keyof Bounds, total: keyof Bounds, all: number): number {
  const own = given[name];
  const rest = all - Math.floor(all / KEPT_FOR_FEW);
  if (own === undefined) return Math.min(DEFAULT_BOUNDS[name], rest);
  const asked = Math.min(own, bound(given, total));
  return asked > all ? rest : asked;
}

/**
 * Fills in the defaults and fits all bounds below the limit of descriptors.
 *
 * The kernel counts the sockets in flight of this server's user against the same limit, and past it every
 * client is refused. So half of it stays free for other processes of that user.
 *
 * @param descriptorLimit RLIMIT_NOFILE, or `-errno`
 * @throws {ServeError} LIMIT if no connection would fit, SYSTEM or PERMISSION if the limit could not be read
 */
export function fitBounds(given: GivenBounds, descriptorLimit: number, threads: number): Bounds {
  attempt(
    "read the limit of open files",
    () => checked("prlimit64", descriptorLimit),
    "Let the seccomp filter allow prlimit64",
  );
  const reserved = RESERVED_DESCRIPTORS + threads * THREAD_DESCRIPTORS;
  const room = descriptorLimit - reserved;
  if (room < 1)
    throw new ServeError(
      "LIMIT",
      `only ${descriptorLimit} open files are allowed and more than ${reserved} are needed: raise the limit (ulimit -n, LimitNOFILE=)`,
    );
  const maxConnections = Math.min(bound(given, "maxConnections"), room);
  const maxInFlight = Math.min(bound(given, "maxInFlight"), Math.ceil(descriptorLimit / 2));
  return {
    maxConnections,
    maxConnectionsPerUid: share(given, "maxConnectionsPerUid", "maxConnections", maxConnections),
    maxInFlight,
    maxInFlightPerUid: share(given, "maxInFlightPerUid", "maxInFlight", maxInFlight),
    firstRequestMs: bound(given, "firstRequestMs"),
    takeReplyMs: bound(given, "takeReplyMs"),
    backlog: bound(given, "backlog"),
  };
}
