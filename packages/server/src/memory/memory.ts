/*
 * The memory that the threads of a server share.
 *
 * How it works: everything is in typed arrays on SharedArrayBuffers, so that a request costs no
 * allocation and no message. A connection is a row of numbers under its descriptor's number, an
 * account is a row for each user id (accounts.ts), replies are in flight.ts, a thread has a row of
 * descriptors and a row of counters. Here is what lies where; shared.ts reads and writes it.
 * Only the thread that owns a connection uses its descriptor, except to ask by SIOCOUTQ or poll(2), which any thread
 * may. For anything else, other threads put the connection into its owner's inbox (docs/decisions/0006-inboxes.md).
 */
import { type AccountMemory, createAccounts } from "./accounts.ts";

/** The columns of a connection's row. */
export const FIELD = {
  state: 0,
  /** The thread that serves it. */
  owner: 1,
  uid: 2,
  gid: 3,
  pid: 4,
  /** The row of its user's account. */
  account: 5,
  /** The next one in the inbox of its owner. */
  next: 6,
} as const;
export const FIELDS = Object.keys(FIELD).length;

/**
 * What a connection is doing. The thread that changes it from a waiting state to busy has it for itself
 * until it waits again. That is its owner, but for the last two lines:
 *
 *     free -> busy                           accepted
 *     busy -> fresh, idle, stuck             waits: for its first request, for the next one, to be read
 *     fresh, idle, stuck -> busy             there is an event, a time is over, or it is to make room
 *     busy -> lingering -> busy              is over, but for a socket that was not received
 *     busy -> free                           closed
 *     busy -> moving -> busy -> idle         is handed to another thread, and taken in there
 *     idle -> evicted -> busy                is to make room: the thread that accepts asks, its owner ends it
 *     any -> free                            its owner is dead: the main thread closes it (pool/reclaim.ts)
 */
export const STATE = {
  free: 0,
  /** Waits for its first request. */
  fresh: 1,
  /** Its owner is at work on it, or has answered its first request and will look at it soon (newcomers.ts). */
  busy: 2,
  /** Between requests: may be closed when room is needed. */
  idle: 3,
  /** Has asked again without receiving its reply; waits for that. */
  stuck: 4,
  /** Over, but its last reply holds a socket that was not received and counts as in flight. */
  lingering: 5,
  /** In the inbox of the thread that is to serve it from now on. */
  moving: 6,
  /** In the inbox of its owner, to be closed in favour of another. */
  evicted: 7,
} as const;

/** The columns of a thread's row: descriptors made for it (negative for none), its inbox, and counts. */
export const THREAD = {
  epoll: 0,
  wake: 1,
  /** A descriptor to give up when there are no others, of the thread that accepts. */
  spare: 2,
  /** The socket that is being handed over. */
  scratch: 3,
  /** The first connection in its inbox, -1 for none. */
  inbox: 4,
  /** Connections that it serves by epoll. */
  load: 5,
  /** Counts how often it has answered a call of the main thread. */
  beat: 6,
  /** The timer that interrupts it. */
  tick: 7,
  /** Records for the log that are on their way to the main thread. */
  records: 8,
  /** 1 while it serves. */
  serves: 9,
} as const;
export const THREAD_FIELDS = Object.keys(THREAD).length;

/** The columns of a thread's counters; each only grows. */
export const COUNTER = {
  accepted: 0,
  requests: 1,
  failed: 2,
  malformed: 3,
  evicted: 4,
  refusedConnections: 5,
  refusedInFlight: 6,
  timedOut: 7,
  unstamped: 8,
} as const;
/** Where the counters that come in groups begin; stats.ts has their order. */
export const COUNTER_GROUP = { sockets: 16, refusals: 32, latency: 40, latencySum: 56 } as const;
export const COUNTERS = 64;

/** The upper ends of the latency buckets, in microseconds. */
export const LATENCY_BOUNDS_US: readonly number[] = [
  10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000,
];

/** Whole-server numbers. */
export const TOTAL = {
  lock: 0,
  connections: 1,
  /** Threads that died and were replaced. */
  replaced: 2,
  /** Lines of the audit file that were cut. */
  auditCuts: 3,
  /** The last of these cuts after which a line has begun anew. */
  auditMended: 4,
  /** 1 while an earlier policy stays in force, since a reload could not read the new one. */
  policyOutdated: 5,
  /** Orders of the main thread that every thread has been sent. */
  orders: 6,
  /** All connections so far have had descriptors below this number. */
  used: 7,
  /** Sockets in flight. */
  inFlight: 8,
} as const;
const TOTALS = Object.keys(TOTAL).length;

/** The buffers, as they are handed to a thread. */
export interface Memory {
  readonly connections: SharedArrayBuffer;
  /**
   * When each connection was accepted or its last request was answered, in milliseconds. Time limits run from then,
   * and it tells a connection from the next one of its number.
   */
  readonly touched: SharedArrayBuffer;
  readonly accounts: AccountMemory;
  readonly flight: SharedArrayBuffer;
  readonly threads: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly totals: SharedArrayBuffer;
}

function createThreads(count: number): SharedArrayBuffer {
  const rows = new Int32Array(new SharedArrayBuffer(count * THREAD_FIELDS * 4));
  const { epoll, wake, spare, scratch, inbox, tick } = THREAD;
  for (let at = 0; at < rows.length; at += THREAD_FIELDS)
    for (const column of [epoll, wake, spare, scratch, inbox, tick]) rows[at + column] = -1;
  return rows.buffer;
}

/**
 * Makes the memory of a server.
 *
 * @param descriptors connections are told apart by descriptors below this number
 */
export function createMemory(descriptors: number, threads: number): Memory {
  return {
    connections: new SharedArrayBuffer(descriptors * FIELDS * 4),
    touched: new SharedArrayBuffer(descriptors * 8),
    accounts: createAccounts(descriptors),
    flight: new SharedArrayBuffer(descriptors * 4),
    threads: createThreads(threads),
    counters: new SharedArrayBuffer(threads * COUNTERS * 8),
    totals: new SharedArrayBuffer(TOTALS * 4),
  };
}
