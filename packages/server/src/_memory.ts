/*
 * The memory that the threads of a server share.
 *
 * How it works: everything is in typed arrays on SharedArrayBuffers, so that a request costs no
 * allocation and no message. A connection is a row of numbers under its descriptor's number, an
 * account is a row for each user id (_accounts.ts), replies are in _flight.ts, a thread has a row of
 * descriptors and a row of counters.
 * Only the thread that owns a connection touches its descriptor; others ask through its inbox.
 */
import { Accounts, createAccounts } from "./_accounts.ts";
import { createFlight, Flight } from "./_flight.ts";
import { SharedLock } from "./_lock.ts";

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
  /** Counts the connections that had this descriptor, to tell them apart. */
  generation: 6,
  /** The next one in the inbox of its owner. */
  next: 7,
  /** Requests so far, up to 2. */
  requests: 8,
} as const;
const FIELDS = 9;

/** What a connection is doing. */
export const STATE = {
  free: 0,
  /** Waits for its first request. */
  fresh: 1,
  /** Its owner is at work on it. */
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
  /** A descriptor to give up when there are no others. */
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
const THREAD_FIELDS = 10;

/** The columns of a thread's counters; each only grows. */
export const COUNTER = {
  accepted: 0,
  requests: 1,
  granted: 2,
  denied: 3,
  failed: 4,
  malformed: 5,
  evicted: 6,
  refusedConnections: 7,
  refusedInFlight: 8,
  timedOut: 9,
  unstamped: 10,
} as const;
/** Where the counters that come in groups begin; stats.ts has their order. */
export const COUNTER_GROUP = { sockets: 16, refusals: 32, latency: 40, latencySum: 56 } as const;
const COUNTERS = 64;

/** The upper ends of the latency buckets, in microseconds. */
export const LATENCY_BOUNDS_US: readonly number[] = [
  10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000,
];

/** Whole-server numbers. */
const TOTAL = { lock: 0, connections: 1, replaced: 2, isAuditCut: 3 } as const;
const TOTALS = 4;

/** The buffers, as they are handed to a thread. */
export interface Memory {
  readonly connections: SharedArrayBuffer;
  readonly touched: SharedArrayBuffer;
  readonly accounts: SharedArrayBuffer;
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
    flight: createFlight(descriptors),
    threads: createThreads(threads),
    counters: new SharedArrayBuffer(threads * COUNTERS * 8),
    totals: new SharedArrayBuffer(TOTALS * 4),
  };
}

type Field = (typeof FIELD)[keyof typeof FIELD];

/** One thread's view of the shared memory. */
export class Shared {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #touched: Float64Array<SharedArrayBuffer>;
  readonly #accounts: Accounts;
  readonly #threads: Int32Array<SharedArrayBuffer>;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  readonly #totals: Int32Array<SharedArrayBuffer>;
  readonly #lock: SharedLock;
  /** The replies on their way. */
  readonly flight: Flight;
  /** Descriptors below this number can be connections. */
  readonly descriptors: number;
  /** Serving threads at most. */
  readonly threadCount: number;

  /** @param thread the thread that looks, -1 for the main thread */
  constructor(memory: Memory, thread = -1) {
    this.#cells = new Int32Array(memory.connections);
    this.#touched = new Float64Array(memory.touched);
    this.#threads = new Int32Array(memory.threads);
    this.#counters = new Float64Array(memory.counters);
    this.#totals = new Int32Array(memory.totals);
    this.#lock = new SharedLock(this.#totals, TOTAL.lock, thread);
    this.#accounts = new Accounts(memory.accounts, this.#lock);
    const accountOf = (fd: number) => this.get(fd, FIELD.account);
    this.flight = new Flight(memory.flight, this.#accounts, accountOf);
    this.descriptors = this.#touched.length;
    this.threadCount = this.#threads.length / THREAD_FIELDS;
  }

  get(fd: number, field: Field): number {
    return Atomics.load(this.#cells, fd * FIELDS + field);
  }

  set(fd: number, field: Field, value: number): void {
    Atomics.store(this.#cells, fd * FIELDS + field, value);
  }

  /** Changes a state unless another thread has been faster. */
  change(fd: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#cells, fd * FIELDS + FIELD.state, from, to) === from;
  }

  /** A look without a promise, for searches: an atomic one takes five times as long. */
  seemsIdle(fd: number): boolean {
    return this.#cells[fd * FIELDS + FIELD.state] === STATE.idle;
  }

  touchedAt(fd: number): number {
    return this.#touched[fd] ?? 0;
  }

  touch(fd: number, now: number): void {
    this.#touched[fd] = now;
  }

  thread(index: number, field: number): number {
    return Atomics.load(this.#threads, index * THREAD_FIELDS + field);
  }

  setThread(index: number, field: number, value: number): void {
    Atomics.store(this.#threads, index * THREAD_FIELDS + field, value);
  }

  /** The threads that serve. */
  serving(): number {
    let count = 0;
    for (let index = 0; index < this.threadCount; index++)
      count += this.thread(index, THREAD.serves);
    return count;
  }

  countBeat(index: number): void {
    Atomics.add(this.#threads, index * THREAD_FIELDS + THREAD.beat, 1);
  }

  addLoad(index: number, change: number): void {
    Atomics.add(this.#threads, index * THREAD_FIELDS + THREAD.load, change);
  }

  addRecords(index: number, change: number): void {
    Atomics.add(this.#threads, index * THREAD_FIELDS + THREAD.records, change);
  }

  /** Adds to a counter, one of COUNTER or of a group. */
  count(thread: number, counter: number, amount = 1): void {
    const index = thread * COUNTERS + counter;
    this.#counters[index] = (this.#counters[index] ?? 0) + amount;
  }

  /** The sum of a counter over all threads. */
  sum(counter: number): number {
    let sum = 0;
    for (let thread = 0; thread < this.threadCount; thread++)
      sum += this.#counters[thread * COUNTERS + counter] ?? 0;
    return sum;
  }

  /** Threads that died and were replaced. */
  replaced(): number {
    return Atomics.load(this.#totals, TOTAL.replaced);
  }

  countReplaced(): void {
    Atomics.add(this.#totals, TOTAL.replaced, 1);
  }

  /** Notes whether the audit file ends in a part of a line. Returns whether it did before. */
  setAuditCut(isCut: boolean): boolean {
    return Atomics.exchange(this.#totals, TOTAL.isAuditCut, Number(isCut)) === 1;
  }

  connections(): number {
    return Atomics.load(this.#totals, TOTAL.connections);
  }

  connectionsOf(account: number): number {
    return this.#accounts.connections(account);
  }

  inFlightOf(account: number): number {
    return this.#accounts.inFlight(account);
  }

  /** Counts a new connection for its user. Returns the user's account. */
  openAccount(uid: number): number {
    const account = this.#accounts.open(uid);
    Atomics.add(this.#totals, TOTAL.connections, 1);
    return account;
  }

  closeAccount(account: number): void {
    this.#accounts.close(account);
    Atomics.sub(this.#totals, TOTAL.connections, 1);
  }

  /**
   * Hands a busy connection to another thread. One that has died meanwhile would never take it in.
   *
   * @returns whether that thread serves; otherwise nothing has changed
   */
  move(fd: number, to: number): boolean {
    this.#lock.acquire();
    try {
      if (this.thread(to, THREAD.serves) === 0) return false;
      this.addLoad(to, 1); // at once, so that the next one goes elsewhere
      this.set(fd, FIELD.owner, to);
      this.set(fd, FIELD.state, STATE.moving);
      this.#post(to, fd);
      return true;
    } finally {
      this.#lock.release();
    }
  }

  /**
   * Has an idle connection closed by the thread that owns it.
   *
   * @returns that thread, or -1 if the connection is not idle any more, or the thread does not serve
   */
  evict(fd: number): number {
    this.#lock.acquire();
    try {
      const owner = this.get(fd, FIELD.owner);
      if (this.thread(owner, THREAD.serves) === 0) return -1;
      if (!this.change(fd, STATE.idle, STATE.evicted)) return -1;
      this.#post(owner, fd);
      return owner;
    } finally {
      this.#lock.release();
    }
  }

  /* Under the lock. A connection is in one inbox at most, and of a thread that serves. */
  #post(thread: number, fd: number): void {
    this.set(fd, FIELD.next, this.thread(thread, THREAD.inbox));
    this.setThread(thread, THREAD.inbox, fd);
  }

  /** Takes one connection out of a thread's inbox; -1 when it is empty. */
  takePosted(thread: number): number {
    if (this.thread(thread, THREAD.inbox) < 0) return -1;
    this.#lock.acquire();
    try {
      const fd = this.thread(thread, THREAD.inbox);
      if (fd >= 0) this.setThread(thread, THREAD.inbox, this.get(fd, FIELD.next));
      return fd;
    } finally {
      this.#lock.release();
    }
  }

  /** Works while no other thread changes accounts or inboxes. */
  locked<T>(work: () => T): Promise<T> {
    return this.#lock.during(work);
  }

  /** Lets go of what a thread held that is no more. */
  releaseLock(thread: number): void {
    this.#lock.releaseFor(thread);
  }
}
