/*
 * What each user holds, in shared memory.
 *
 * How it works: while a user has connections, its account is a row of numbers. Rows are found by user id
 * through hash chains, and go back to a free list when the last connection has ended: so a search meets
 * only users who have connections now. Whoever changes a chain holds the server's lock. Links are row
 * numbers plus one, 0 for none, written in such an order that a thread that dies in between loses one
 * spare row at most.
 */
import type { SharedLock } from "./lock.ts";

const HEADER = { buckets: 0, made: 1, free: 2 } as const;
const HEADER_CELLS = Object.keys(HEADER).length;
const ACCOUNT = { uid: 0, connections: 1, inFlight: 2, next: 3 } as const;
const ACCOUNT_CELLS = Object.keys(ACCOUNT).length;
const SPARE_ROWS = 64;

/** Makes the memory for this many users at once. */
export function createAccounts(users: number): SharedArrayBuffer {
  const rows = users + SPARE_ROWS;
  const buckets = 2 ** Math.ceil(Math.log2(rows));
  const memory = new SharedArrayBuffer((HEADER_CELLS + buckets + rows * ACCOUNT_CELLS) * 4);
  new Int32Array(memory)[HEADER.buckets] = buckets;
  return memory;
}

/** One thread's view of the accounts. */
export class Accounts {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #lock: SharedLock;
  readonly #bucketMask: number;
  readonly #firstRow: number;

  constructor(memory: SharedArrayBuffer, lock: SharedLock) {
    this.#cells = new Int32Array(memory);
    this.#lock = lock;
    const buckets = this.#get(HEADER.buckets);
    this.#bucketMask = buckets - 1;
    this.#firstRow = HEADER_CELLS + buckets;
  }

  connections(account: number): number {
    return this.#get(this.#at(account, ACCOUNT.connections));
  }

  inFlight(account: number): number {
    return this.#get(this.#at(account, ACCOUNT.inFlight));
  }

  addInFlight(account: number, change: number): void {
    Atomics.add(this.#cells, this.#at(account, ACCOUNT.inFlight), change);
  }

  /**
   * Counts a new connection for its user.
   *
   * @returns the user's account
   * @throws {RangeError} when there are more users than there is room for
   */
  open(uid: number): number {
    this.#lock.acquire();
    try {
      const found = this.#find(uid);
      const account = found < 0 ? this.#make(uid) : found;
      Atomics.add(this.#cells, this.#at(account, ACCOUNT.connections), 1);
      return account;
    } finally {
      this.#lock.release();
    }
  }

  /** Uncounts a connection of an account, which ends with its last one. */
  close(account: number): void {
    this.#lock.acquire();
    try {
      if (Atomics.sub(this.#cells, this.#at(account, ACCOUNT.connections), 1) === 1)
        this.#drop(account);
    } finally {
      this.#lock.release();
    }
  }

  #get(cell: number): number {
    return Atomics.load(this.#cells, cell);
  }

  #set(cell: number, value: number): void {
    Atomics.store(this.#cells, cell, value);
  }

  #at(account: number, field: number): number {
    return this.#firstRow + account * ACCOUNT_CELLS + field;
  }

  /* The cell that holds the first link of a user's chain. */
  #bucket(uid: number): number {
    return HEADER_CELLS + (Math.imul(uid, 0x9e3779b1) & this.#bucketMask);
  }

  #find(uid: number): number {
    let link = this.#get(this.#bucket(uid));
    while (link > 0 && this.#get(this.#at(link - 1, ACCOUNT.uid)) !== uid)
      link = this.#get(this.#at(link - 1, ACCOUNT.next));
    return link - 1;
  }

  #make(uid: number): number {
    const account = this.#takeRow();
    const bucket = this.#bucket(uid);
    this.#set(this.#at(account, ACCOUNT.uid), uid);
    this.#set(this.#at(account, ACCOUNT.connections), 0);
    // inFlight is not set: Flight.settle() of another thread may yet undo a change, after which it is 0
    this.#set(this.#at(account, ACCOUNT.next), this.#get(bucket));
    this.#set(bucket, account + 1);
    return account;
  }

  #takeRow(): number {
    const free = this.#get(HEADER.free);
    if (free > 0) {
      this.#set(HEADER.free, this.#get(this.#at(free - 1, ACCOUNT.next)));
      return free - 1;
    }
    const made = this.#get(HEADER.made);
    this.#set(HEADER.made, made + 1);
    return made;
  }

  #drop(account: number): void {
    const next = this.#at(account, ACCOUNT.next);
    let cell = this.#bucket(this.#get(this.#at(account, ACCOUNT.uid)));
    for (let link = this.#get(cell); link > 0 && link !== account + 1; link = this.#get(cell))
      cell = this.#at(link - 1, ACCOUNT.next);
    this.#set(cell, this.#get(next));
    this.#set(next, this.#get(HEADER.free));
    this.#set(HEADER.free, account + 1);
  }
}
