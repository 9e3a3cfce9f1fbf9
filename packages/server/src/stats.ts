import { AF_INET, AF_INET6, SOCK_RAW, SOCK_STREAM } from "@xsocket/protocol";
import { COUNTER, COUNTER_GROUP, LATENCY_BOUNDS_US, TOTAL } from "./memory/memory.ts";
import type { Shared } from "./memory/shared.ts";
import type { Refusal } from "./serving/judge.ts";

/** Sockets of one family and type that were handed over. */
export interface SocketCount {
  readonly family: "AF_INET" | "AF_INET6" | "other";
  readonly type: "SOCK_STREAM" | "SOCK_DGRAM" | "SOCK_RAW" | "other";
  readonly count: number;
}

/** How long requests took, from reading one to having sent its answer. */
export interface Latency {
  /** The upper ends of the buckets in seconds; what took longer is in one more bucket. */
  readonly bounds: readonly number[];
  /** Requests in each bucket. */
  readonly counts: readonly number[];
  /** The time of all of them together in seconds. */
  readonly sum: number;
}

/** What a server has done and holds. All but the last two only grow. */
export interface ServerStats {
  /** Connections that were accepted. */
  readonly accepted: number;
  /** Well-formed requests. */
  readonly requests: number;
  /** Sockets that were handed over. */
  readonly granted: number;
  /** Requests that the policy has refused. */
  readonly denied: number;
  /** Requests that the kernel has refused, and those whose client was gone before it had its socket. */
  readonly failed: number;
  /** Connections closed for a malformed request. An empty packet does not count: to recv(2) it is the end of file. */
  readonly malformed: number;
  /** Idle connections closed to make room. */
  readonly evicted: number;
  /** Connections refused, at a bound or since no descriptor was left. */
  readonly refusedConnections: number;
  /** Requests refused because too many sockets were in flight, or closing such sockets was slow. */
  readonly refusedInFlight: number;
  /** Connections closed because a time limit was over. */
  readonly timedOut: number;
  /** Sockets that could not be given their user's ids. */
  readonly unstamped: number;
  /** Serving threads that died and were replaced. */
  readonly threadsReplaced: number;
  /** Sockets that were handed over, by what they are. */
  readonly sockets: readonly SocketCount[];
  /** Requests that the policy has refused, by reason. */
  readonly refusals: Readonly<Record<Refusal, number>>;
  readonly latency: Latency;
  /** Connections now. */
  readonly connections: number;
  /** Sockets now that were sent and, as far as known, not received. */
  readonly inFlight: number;
}

const FAMILIES = ["AF_INET", "AF_INET6", "other"] as const;
const TYPES = ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "other"] as const;

/** The counter of sockets of a family and type: a row for each family, a column for each type. */
export function socketCounter(domain: number, type: number): number {
  const family = domain === AF_INET ? 0 : domain === AF_INET6 ? 1 : 2;
  const column = type >= SOCK_STREAM && type <= SOCK_RAW ? type - SOCK_STREAM : 3;
  return COUNTER_GROUP.sockets + family * TYPES.length + column;
}

/* The columns of the group. */
const REFUSALS: Readonly<Record<Refusal, number>> = {
  "no rule": 0,
  rule: 1,
  "sockets per minute": 2,
  connections: 3,
  "too many users": 4,
};

/** The counter of requests that were refused for a reason. */
export function refusalCounter(refusal: Refusal): number {
  return COUNTER_GROUP.refusals + REFUSALS[refusal];
}

/** The counter of requests that took this long. */
export function latencyCounter(milliseconds: number): number {
  const microseconds = milliseconds * 1000;
  let bucket = 0;
  while (microseconds > (LATENCY_BOUNDS_US[bucket] ?? Infinity)) bucket++;
  return COUNTER_GROUP.latency + bucket;
}

function socketCounts(shared: Shared): SocketCount[] {
  return FAMILIES.flatMap((family, row) =>
    TYPES.map((type, column) => ({
      family,
      type,
      count: shared.sum(COUNTER_GROUP.sockets + row * TYPES.length + column),
    })),
  );
}

function refusals(shared: Shared): Record<Refusal, number> {
  const count = (refusal: Refusal) => shared.sum(refusalCounter(refusal));
  return {
    "no rule": count("no rule"),
    rule: count("rule"),
    "sockets per minute": count("sockets per minute"),
    connections: count("connections"),
    "too many users": count("too many users"),
  };
}

function latency(shared: Shared): Latency {
  return {
    bounds: LATENCY_BOUNDS_US.map((bound) => bound / 1e6),
    counts: [...LATENCY_BOUNDS_US, Infinity].map((_, bucket) =>
      shared.sum(COUNTER_GROUP.latency + bucket),
    ),
    sum: shared.sum(COUNTER_GROUP.latencySum) / 1000,
  };
}

/** Adds up what the threads have counted. */
export function readStats(shared: Shared): ServerStats {
  const sockets = socketCounts(shared);
  const refused = refusals(shared);
  return {
    accepted: shared.sum(COUNTER.accepted),
    requests: shared.sum(COUNTER.requests),
    granted: sockets.reduce((sum, { count }) => sum + count, 0),
    denied: Object.values(refused).reduce((sum, count) => sum + count, 0),
    failed: shared.sum(COUNTER.failed),
    malformed: shared.sum(COUNTER.malformed),
    evicted: shared.sum(COUNTER.evicted),
    refusedConnections: shared.sum(COUNTER.refusedConnections),
    refusedInFlight: shared.sum(COUNTER.refusedInFlight),
    timedOut: shared.sum(COUNTER.timedOut),
    unstamped: shared.sum(COUNTER.unstamped),
    threadsReplaced: shared.total(TOTAL.replaced),
    sockets,
    refusals: refused,
    latency: latency(shared),
    connections: shared.connections(),
    inFlight: shared.flight.inFlight(),
  };
}
