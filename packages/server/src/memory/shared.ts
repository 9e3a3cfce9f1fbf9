import type { Syscalls } from "@xsocket/xbind-native";
import { Accounts } from "./accounts.ts";
import { Flight } from "./flight.ts";
import { SharedLock } from "./lock.ts";
import {
  COUNTERS,
  FIELD,
  FIELDS,
  type Memory,
  STATE,
  THREAD,
  THREAD_FIELDS,
  TOTAL,
} from "./memory.ts";

type Field = (typeof FIELD)[keyof typeof FIELD];

/** One thread's view of the shared memory. */
export class Shared {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #touched: Float64Array<SharedArrayBuffer>;
  readonly #accounts: Accounts;
  readonly #threads: Int32Array<SharedArrayBuffer>;
  readonly #counters: Float64Array<SharedArrayBuffer>;
  readonly #totals: Int32Array<SharedArrayBuffer>;
  /** For inboxes and quotas. */
  readonly lock: SharedLock;
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
    this.lock = new SharedLock(this.#totals, TOTAL.lock, thread);
    this.#accounts = new Accounts(memory.accounts);
    const accountOf = (fd: number) => this.get(fd, FIELD.account);
    this.flight = new Flight(memory, this.#accounts, accountOf);
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

  /** The same for searches, whose caller looks again: it is not atomic, and five times as fast. */
  glance(fd: number, field: Field): number {
    return this.#cells[fd * FIELDS + field] ?? 0;
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

  addToThread(index: number, field: number, change: number): void {
    Atomics.add(this.#threads, index * THREAD_FIELDS + field, change);
  }

  /** Closes a descriptor of a thread's row, if there is one, and forgets it before its number can be another's. */
  closeDescriptor(sys: Syscalls, index: number, field: number): void {
    const fd = Atomics.exchange(this.#threads, index * THREAD_FIELDS + field, -1);
    if (fd >= 0) sys.close(fd);
  }

  /** How many threads serve. */
  serving(): number {
    let count = 0;
    for (let index = 0; index < this.threadCount; index++)
      count += this.thread(index, THREAD.serves);
    return count;
  }

  /** Whether another thread than this one has connections to serve. */
  isLoadedBeside(index: number): boolean {
    for (let other = 0; other < this.threadCount; other++)
      if (other !== index && this.thread(other, THREAD.load) > 0) return true;
    return false;
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

  total(field: number): number {
    return Atomics.load(this.#totals, field);
  }

  setTotal(field: number, value: number): void {
    Atomics.store(this.#totals, field, value);
  }

  countTotal(field: number): void {
    Atomics.add(this.#totals, field, 1);
  }

  /** The number of the cut that the audit file ends in, 0 if it ends in a whole line. */
  auditCut(): number {
    const cuts = this.total(TOTAL.auditCuts);
    return cuts === this.total(TOTAL.auditMended) ? 0 : cuts;
  }

  /** Notes that the audit file ends in a part of a line. */
  cutAudit(): void {
    this.countTotal(TOTAL.auditCuts);
  }

  /** Notes that a line has begun anew after a cut. There may have been another one meanwhile. */
  mendAudit(cut: number): void {
    if (cut !== 0) this.setTotal(TOTAL.auditMended, cut);
  }

  connections(): number {
    return this.total(TOTAL.connections);
  }

  connectionsOf(account: number): number {
    return this.#accounts.connections(account);
  }

  inFlightOf(account: number): number {
    return this.#accounts.inFlight(account);
  }

  /** All connections so far have had descriptors below this number. */
  get used(): number {
    return this.total(TOTAL.used);
  }

  /** Counts a new connection for the user whose id it has. For the thread that accepts. */
  addConnection(fd: number): void {
    this.set(fd, FIELD.account, this.#accounts.open(this.get(fd, FIELD.uid)));
    this.countTotal(TOTAL.connections);
    if (fd >= this.used) this.setTotal(TOTAL.used, fd + 1);
  }

  /** Uncounts a connection, in the total first (see #count() of Flight), and frees its row. */
  removeConnection(fd: number): void {
    Atomics.sub(this.#totals, TOTAL.connections, 1);
    this.#accounts.close(this.get(fd, FIELD.account));
    this.set(fd, FIELD.state, STATE.free);
  }

  /**
   * Hands a busy connection to another thread. One that has died or retired would never take it in.
   *
   * @returns whether that thread serves; otherwise nothing has changed
   */
  move(fd: number, to: number): boolean {
    this.lock.acquire();
    try {
      if (this.thread(to, THREAD.serves) === 0) return false;
      this.addToThread(to, THREAD.load, 1); // at once, so that the next one goes elsewhere
      this.set(fd, FIELD.owner, to);
      this.set(fd, FIELD.state, STATE.moving);
      this.#post(to, fd);
      return true;
    } finally {
      this.lock.release();
    }
  }

  /** Ends the handing over of connections to a thread: from now on its inbox gets only what is to be closed. */
  retire(index: number): void {
    this.lock.acquire();
    this.setThread(index, THREAD.serves, 0);
    this.lock.release();
  }

  /**
   * Puts an idle connection into the inbox of the thread that owns it, to be closed. Where that thread ends
   * before it looks, the connection is closed with all that it has.
   *
   * @returns that thread, or -1 if the connection is not idle any more
   */
  evict(fd: number): number {
    this.lock.acquire();
    try {
      const owner = this.get(fd, FIELD.owner);
      if (!this.change(fd, STATE.idle, STATE.evicted)) return -1;
      this.#post(owner, fd);
      return owner;
    } finally {
      this.lock.release();
    }
  }

  /* Under the lock. A connection is in one inbox at most. */
  #post(thread: number, fd: number): void {
    this.set(fd, FIELD.next, this.thread(thread, THREAD.inbox));
    this.setThread(thread, THREAD.inbox, fd);
  }

  /** Takes one connection out of a thread's inbox; -1 when it is empty. */
  takePosted(thread: number): number {
    if (this.thread(thread, THREAD.inbox) < 0) return -1;
    this.lock.acquire();
    try {
      const fd = this.thread(thread, THREAD.inbox);
      if (fd >= 0) this.setThread(thread, THREAD.inbox, this.get(fd, FIELD.next));
      return fd;
    } finally {
      this.lock.release();
    }
  }
}
