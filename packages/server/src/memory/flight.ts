/*
 * The last reply of each connection, and the sockets in flight, in shared memory.
 *
 * How it works: each connection has a cell. Its low bits say what the peer may still have to receive, the
 * bits above are a serial number of the reply. The thread that owns a connection notes replies. Any thread
 * can ask the kernel whether a peer has received its reply (SIOCOUTQ). If it has, that thread takes the
 * socket out of the count, by a compare-and-exchange that fails if the owner was faster.
 */
import type { Accounts } from "./accounts.ts";
import { type Memory, TOTAL } from "./memory.ts";

/** Whether the peer may still have a reply to receive: none, one without, or one with a socket. */
export const UNREAD = { none: 0, plain: 1, socket: 2 } as const;

const KIND = 3; // the bits of UNREAD
const RECOUNT_MAX = 32; // connections asked in one go

/** One thread's view of the replies. */
export class Flight {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #totals: Int32Array<SharedArrayBuffer>;
  readonly #accounts: Accounts;
  readonly #accountOf: (fd: number) => number;
  #recounted = 0; // the connection that was looked at last

  /** @param accountOf finds the account of a connection */
  constructor(memory: Memory, accounts: Accounts, accountOf: (fd: number) => number) {
    this.#cells = new Int32Array(memory.flight);
    this.#totals = new Int32Array(memory.totals);
    this.#accounts = accounts;
    this.#accountOf = accountOf;
  }

  /** Sockets in flight, of everybody together. */
  inFlight(): number {
    return Atomics.load(this.#totals, TOTAL.inFlight);
  }

  /** What the peer of a connection may still have to receive. */
  unread(fd: number): number {
    return Atomics.load(this.#cells, fd) & KIND;
  }

  /** Notes a reply, or that none is left to receive. Only for the owner of the connection. */
  setUnread(fd: number, unread: number): void {
    const number = (Atomics.load(this.#cells, fd) | KIND) + 1;
    const before = Atomics.exchange(this.#cells, fd, number | unread) & KIND;
    const change = Number(unread === UNREAD.socket) - Number(before === UNREAD.socket);
    if (change !== 0) this.#count(this.#accountOf(fd), change);
  }

  /**
   * Asks about some of the sockets in flight, of one account or (-1) of all, whether their peers
   * have received them; the next call goes on behind them. For any thread.
   *
   * @param isReceived asks the kernel
   * @returns whether one was taken out of the count
   */
  recount(account: number, isReceived: (fd: number) => boolean): boolean {
    const used = Atomics.load(this.#totals, TOTAL.used);
    let hasSettled = false;
    let asked = 0;
    // one round at most, also if fewer are found
    for (let left = used; left > 0 && asked < RECOUNT_MAX; left--) {
      this.#recounted = (this.#recounted + 1) % used;
      if (!this.#isCounted(this.#recounted, account)) continue;
      asked++;
      if (this.settle(this.#recounted, isReceived)) hasSettled = true;
    }
    return hasSettled;
  }

  /* Not atomic, which would take five times as long: settle() looks again. */
  #isCounted(fd: number, account: number): boolean {
    if (((this.#cells[fd] ?? 0) & KIND) !== UNREAD.socket) return false;
    return account < 0 || this.#accountOf(fd) === account;
  }

  /**
   * Takes a connection's socket out of the count if its peer has received it. For any thread.
   *
   * @param isReceived asks the kernel
   * @returns whether this call has taken it out
   */
  settle(fd: number, isReceived: (fd: number) => boolean): boolean {
    const reply = Atomics.load(this.#cells, fd);
    if ((reply & KIND) !== UNREAD.socket || !isReceived(fd)) return false;
    const account = this.#accountOf(fd);
    this.#count(account, -1); // first, while the account is sure to be this connection's
    const found = Atomics.compareExchange(this.#cells, fd, reply, reply & ~KIND);
    if (found !== reply) this.#count(account, 1);
    return found === reply;
  }

  /* In this order the total is never above the sum of the users' counts: limitFor() finds by it whether a user is alone. */
  #count(account: number, change: number): void {
    if (change < 0) Atomics.add(this.#totals, TOTAL.inFlight, change);
    this.#accounts.addInFlight(account, change);
    if (change > 0) Atomics.add(this.#totals, TOTAL.inFlight, change);
  }
}
