/*
 * What each user holds, in shared memory.
 *
 * How it works: a user's account is a row of numbers, where the user id hashes to or soon behind that. A row
 * without connections keeps its user until another one takes it. There are at least twice as many rows as there can
 * be connections, so one is always free. Only the thread that accepts opens accounts: nobody else gives a row without
 * connections one, so no lock is needed.
 */
import { hashSeed, hashUser } from "./hash.ts";

const ACCOUNT = { uid: 0, connections: 1, inFlight: 2 } as const;
const ACCOUNT_CELLS = Object.keys(ACCOUNT).length;

/* Rows that a user is looked for in; more of them while none is free. */
const PROBES = 64;

/** The accounts, shared by the serving threads. */
export interface AccountMemory {
  readonly rows: SharedArrayBuffer;
  /** Makes the order of the rows a secret, so that nobody with many ids can fill those of somebody else. */
  readonly seed: number;
}

/** Makes the memory for this many users at once. */
export function createAccounts(users: number): AccountMemory {
  const rows = 2 ** Math.ceil(Math.log2(2 * users));
  return {
    rows: new SharedArrayBuffer(rows * ACCOUNT_CELLS * 4),
    seed: hashSeed(),
  };
}

/** One thread's view of the accounts. */
export class Accounts {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #rows: number; // a power of two
  readonly #seed: number;

  constructor(memory: AccountMemory) {
    this.#cells = new Int32Array(memory.rows);
    this.#rows = this.#cells.length / ACCOUNT_CELLS;
    this.#seed = memory.seed;
  }

  connections(account: number): number {
    return Atomics.load(this.#cells, at(account, ACCOUNT.connections));
  }

  inFlight(account: number): number {
    return Atomics.load(this.#cells, at(account, ACCOUNT.inFlight));
  }

  addInFlight(account: number, change: number): void {
    Atomics.add(this.#cells, at(account, ACCOUNT.inFlight), change);
  }

  /** Counts a new connection for its user. Returns the user's account. For the thread that accepts. */
  open(uid: number): number {
    const account = this.#find(uid);
    // inFlight is not set: Flight.settle() of another thread may yet undo a change, after which it is 0
    Atomics.store(this.#cells, at(account, ACCOUNT.uid), uid);
    Atomics.add(this.#cells, at(account, ACCOUNT.connections), 1);
    return account;
  }

  /** Uncounts a connection of an account. */
  close(account: number): void {
    Atomics.sub(this.#cells, at(account, ACCOUNT.connections), 1);
  }

  /* The user's row, else the first free one. Root is also found in a row that was never used. */
  #find(uid: number): number {
    const start = hashUser(uid, this.#seed) & (this.#rows - 1);
    let free = -1;
    for (let probe = 0; probe < PROBES || free < 0; probe++) {
      const account = (start + probe) % this.#rows;
      if (Atomics.load(this.#cells, at(account, ACCOUNT.uid)) === uid) return account;
      if (free < 0 && this.connections(account) === 0) free = account;
    }
    return free;
  }
}

function at(account: number, field: number): number {
  return account * ACCOUNT_CELLS + field;
}
