/*
 * Makes room by closing the connection that has been idle for longest.
 *
 * How it works: nothing is kept in order while requests come in. A search looks at all connections and keeps the
 * oldest few; those that were not used since stay the oldest, whatever else happens, so that many
 * closings share one search. A connection whose peer has yet to receive a socket makes no room, since its
 * descriptor stays open until then. The kernel is asked about these only if nothing else is found: for
 * connections that are idle for long, their owners have learnt by then that the peer has received it.
 * One whose next request has arrived makes no room either: where many are ready, it waits for its turn.
 */
import { POLLHUP, POLLIN } from "@xsocket/xbind-native";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, FIELD, STATE, THREAD } from "../memory/memory.ts";
import { type Connections, hasHungUp } from "./connections.ts";
import { Recent } from "./recent.ts";
import type { Context } from "./thread.ts";

const KEPT = 64; // found by one search
const SEARCHES_MAX = 4; // in a row, each for those that were used after the ones of the search before

/** Milliseconds between searches that find none: in a flood each newcomer would make another one. */
export const PAUSE_MS = 2;

interface Found {
  readonly fd: number;
  readonly since: number;
}

/** The idle connections of all threads. */
export class Idle {
  readonly #context: Context;
  readonly #connections: Connections;
  readonly #found = new Recent<Found[]>();
  readonly #pausedUntil = new Recent<number>();

  constructor(context: Context, connections: Connections) {
    this.#context = context;
    this.#connections = connections;
  }

  /**
   * Closes the connection that has been idle for longest, of one account or (-1) of all.
   *
   * If its client has gone, another one may have been admitted in its place already (elsewhere.ts). So the next one
   * is closed as well, until as many were as there are too many.
   *
   * @param excess how many there are too many: the newcomer, and all that were admitted in place of others that are
   * not closed yet
   * @returns whether there is room for the newcomer
   */
  evict(account: number, excess: number): boolean {
    const { sys, shared, options } = this.#context;
    let gone = 0;
    for (let fd = this.#oldest(account); fd >= 0; fd = this.#oldest(account)) {
      const isGone = hasHungUp(sys, fd);
      if (!this.#evictOne(fd)) continue; // its thread is at work on it by now
      shared.count(options.index, COUNTER.evicted);
      if (!isGone || ++gone === excess) return true;
    }
    return false;
  }

  #evictOne(fd: number): boolean {
    const { shared, sys, options } = this.#context;
    if (shared.get(fd, FIELD.owner) === options.index) {
      if (!shared.change(fd, STATE.idle, STATE.busy)) return false;
      this.#connections.end(fd);
      return true;
    }
    const owner = shared.evict(fd);
    if (owner >= 0) sys.eventfdAdd(shared.thread(owner, THREAD.wake));
    return owner >= 0;
  }

  /* -1 for none. */
  #oldest(account: number): number {
    const kept = this.#next(account);
    if (kept >= 0 || this.#isPaused(account)) return kept;
    let fd = this.#searched(account);
    if (fd < 0 && this.#connections.recount(account)) fd = this.#searched(account);
    if (fd < 0) this.#pausedUntil.set(account, this.#context.sys.monotonic() + PAUSE_MS);
    return fd;
  }

  #isPaused(account: number): boolean {
    return this.#context.sys.monotonic() < (this.#pausedUntil.get(account) ?? 0);
  }

  /* All that one search finds may have asked, while others have not. */
  #searched(account: number): number {
    let after = -Infinity;
    for (let searches = 0; searches < SEARCHES_MAX; searches++) {
      const found = this.#search(account, after);
      const last = found.length === KEPT ? found.at(-1) : undefined;
      this.#found.set(account, found);
      const fd = this.#next(account);
      if (fd >= 0 || !last) return fd;
      after = last.since;
    }
    return -1;
  }

  #next(account: number): number {
    const found = this.#found.get(account);
    for (let next = found?.shift(); next; next = found?.shift())
      if (this.#isUnchanged(next) && !this.#hasAsked(next.fd)) return next.fd;
    return -1;
  }

  #hasAsked(fd: number): boolean {
    const events = this.#context.sys.poll(fd, POLLIN, 0);
    return (events & POLLIN) !== 0 && (events & POLLHUP) === 0;
  }

  #isUnchanged({ fd, since }: Found): boolean {
    const { shared } = this.#context;
    return shared.get(fd, FIELD.state) === STATE.idle && shared.touchedAt(fd) === since;
  }

  #search(account: number, after: number): Found[] {
    const { shared } = this.#context;
    const { flight, used } = shared;
    const found: Found[] = [];
    for (let fd = 0; fd < used; fd++) {
      if (shared.glance(fd, FIELD.state) !== STATE.idle) continue;
      if (account >= 0 && shared.glance(fd, FIELD.account) !== account) continue;
      const since = shared.touchedAt(fd);
      if (since <= after) continue;
      if (found.length === KEPT && since >= (found.at(-1)?.since ?? Infinity)) continue;
      if (flight.unread(fd) === UNREAD.socket) continue;
      insert(found, { fd, since });
    }
    return found;
  }
}

/* Keeps the list sorted and short. */
function insert(found: Found[], next: Found): void {
  const at = found.findIndex((other) => other.since > next.since);
  found.splice(at < 0 ? found.length : at, 0, next);
  if (found.length > KEPT) found.pop();
}
