import { hashSeed, hashUser } from "../memory/hash.ts";
import type { SharedLock } from "../memory/lock.ts";
import type { Rule } from "./rule.ts";

/** How many users under rules with quotas are remembered at once. */
export const QUOTA_ROWS = 65_536;
/** How long a count of sockets goes on, in milliseconds, from its first one. */
export const QUOTA_WINDOW_MS = 60_000;

const PROBES = 64; // rows that a user may be found in

/** A row for each user and rule. The row number plus one is what a connection remembers. */
const ROW = { rule: 0, uid: 1, sockets: 2, connections: 3 } as const;
const FIELDS = Object.keys(ROW).length;

/** The counts of one policy, shared by the serving threads. A new policy begins with new ones. */
export interface QuotaMemory {
  readonly rows: SharedArrayBuffer;
  /** For each row, when its count of sockets began. */
  readonly since: SharedArrayBuffer;
  /** For each descriptor that can be a connection, the row that it counts in, plus one; 0 for none. */
  readonly held: SharedArrayBuffer;
  /** Makes the order of the rows a secret, so that nobody can aim at those of somebody else. */
  readonly seed: number;
}

/** Makes the memory for a policy's quotas. It costs nothing until it is used. */
export function createQuotaMemory(descriptors: number, rows = QUOTA_ROWS): QuotaMemory {
  return {
    rows: new SharedArrayBuffer(rows * FIELDS * 4),
    since: new SharedArrayBuffer(rows * 8),
    held: new SharedArrayBuffer(descriptors * 4),
    seed: hashSeed(),
  };
}

/** Why a quota refuses. */
export type QuotaRefusal = "sockets per minute" | "connections" | "too many users";

/** One thread's view of the counts. */
export class Quotas {
  readonly #rows: Int32Array<SharedArrayBuffer>;
  readonly #since: Float64Array<SharedArrayBuffer>;
  readonly #held: Int32Array<SharedArrayBuffer>;
  readonly #lock: SharedLock;
  readonly #seed: number;

  /** @param lock the server's, of the thread that counts */
  constructor(memory: QuotaMemory, lock: SharedLock) {
    this.#rows = new Int32Array(memory.rows);
    this.#since = new Float64Array(memory.since);
    this.#held = new Int32Array(memory.held);
    this.#lock = lock;
    this.#seed = memory.seed;
  }

  /**
   * Counts one socket for a user under a rule, unless that would be one too many: then it says why.
   *
   * @param index the rule's place in its policy
   * @param fd the connection that asks
   * @param now a clock in milliseconds that every thread shares, from before the wait for the lock
   */
  take(rule: Rule, index: number, uid: number, fd: number, now: number): QuotaRefusal | undefined {
    this.#lock.acquire();
    try {
      const row = this.#find(index, uid);
      if (row < 0) return "too many users";
      if (!this.#holdConnection(rule, row, fd)) return "connections";
      return this.#countSocket(rule, row, now) ? undefined : "sockets per minute";
    } finally {
      this.#lock.release();
    }
  }

  /**
   * Gives back what a connection counted for, when it ends. Returns whether it did count.
   *
   * @param isUnchanged whether its number is not another one's by now. Asked under the lock, without which none
   * begins to count
   */
  close(fd: number, isUnchanged?: () => boolean): boolean {
    if ((this.#held[fd] ?? 0) === 0) return false;
    this.#lock.acquire();
    try {
      return isUnchanged?.() !== false && this.#letGo(fd);
    } finally {
      this.#lock.release();
    }
  }

  /** Forgets all counts. Waits for the lock without holding up the event loop. */
  forget(): Promise<void> {
    return this.#lock.during(() => {
      this.#rows.fill(0);
      this.#held.fill(0);
    });
  }

  #get(row: number, field: number): number {
    return this.#rows[row * FIELDS + field] ?? 0;
  }

  #set(row: number, field: number, value: number): void {
    this.#rows[row * FIELDS + field] = value;
  }

  /*
   * Finds the user's row under the rule. Else it takes one without connections: an unused one, or the one
   * whose count began first, whose user will be counted from 0 again. So somebody with many (subordinate) ids
   * does not keep others out. -1 if all of them have connections.
   */
  #find(index: number, uid: number): number {
    const count = this.#rows.length / FIELDS;
    const start = hashUser(uid, this.#seed, index);
    let best = -1;
    for (let probe = 0; probe < PROBES; probe++) {
      const row = (start + probe) % count;
      if (this.#get(row, ROW.rule) === index + 1 && this.#get(row, ROW.uid) >>> 0 === uid)
        return row;
      if (this.#isBetter(row, best)) best = row;
    }
    if (best < 0) return best;
    this.#rows.set([index + 1, uid, 0, 0], best * FIELDS);
    this.#since[best] = 0;
    return best;
  }

  /* Whether a row is better to take than another one (-1 for none). */
  #isBetter(row: number, other: number): boolean {
    if (this.#get(row, ROW.connections) > 0) return false;
    return other < 0 || this.#began(row) < this.#began(other);
  }

  #isOver(row: number, now: number): boolean {
    return this.#get(row, ROW.sockets) === 0 || now - this.#began(row) >= QUOTA_WINDOW_MS;
  }

  /* 0 for a row that was never used, or whose user has no count yet. */
  #began(row: number): number {
    return this.#since[row] ?? 0;
  }

  /* A connection counts under the last rule with this bound that has decided on one of its requests. */
  #holdConnection(rule: Rule, row: number, fd: number): boolean {
    const limit = rule.connections;
    if (limit === undefined || this.#held[fd] === row + 1) return true;
    if (this.#get(row, ROW.connections) >= limit) return false;
    this.#letGo(fd);
    this.#set(row, ROW.connections, this.#get(row, ROW.connections) + 1);
    this.#held[fd] = row + 1;
    return true;
  }

  #letGo(fd: number): boolean {
    const row = (this.#held[fd] ?? 0) - 1;
    if (row < 0) return false;
    this.#set(row, ROW.connections, this.#get(row, ROW.connections) - 1);
    this.#held[fd] = 0;
    return true;
  }

  #countSocket(rule: Rule, row: number, now: number): boolean {
    const limit = rule.socketsPerMinute;
    if (limit === undefined) return true;
    if (this.#isOver(row, now)) {
      this.#since[row] = now;
      this.#set(row, ROW.sockets, 0);
    }
    const count = this.#get(row, ROW.sockets);
    if (count >= limit) return false;
    this.#set(row, ROW.sockets, count + 1);
    return true;
  }
}

/** Answers whether a rule counts anything. */
export function hasQuota(rule: Rule): boolean {
  return rule.socketsPerMinute !== undefined || rule.connections !== undefined;
}
