/*
 * Which connection to close when room is needed: the one that has been idle for longest.
 *
 * Nothing is kept in order while requests come in. A search looks at all connections and keeps the
 * oldest few; those that were not used since stay the oldest, whatever else happens, so that many
 * closings share one search. A connection whose peer has yet to receive a socket makes no room, since its
 * descriptor stays open until then. The kernel is asked about these only if nothing else is found: for
 * connections that are idle for long, their owners have learnt by then that the peer has received it.
 */
import { UNREAD } from "../memory/flight.ts";
import { FIELD, STATE } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import { Recent } from "./recent.ts";

const KEPT = 64; // found by one search

/** Milliseconds between searches that find none: in a flood each newcomer would make another one. */
export const EMPTY_MS = 2;

interface Found {
  readonly fd: number;
  readonly since: number;
}

/** Finds idle connections, the oldest first. */
export class IdleOrder {
  readonly #shared: Shared;
  readonly #now: () => number;
  readonly #recount: (account: number) => boolean;
  readonly #found = new Recent<Found[]>();
  readonly #emptyUntil = new Recent<number>();

  /** @param recount asks about sockets in flight of an account, or (-1) of all; true if some were received */
  constructor(shared: Shared, now: () => number, recount: (account: number) => boolean) {
    this.#shared = shared;
    this.#now = now;
    this.#recount = recount;
  }

  /** The connection idle for longest, of one account or (-1) of all; -1 for none. */
  oldest(account: number): number {
    const kept = this.#next(account);
    if (kept >= 0 || this.#isKnownEmpty(account)) return kept;
    let fd = this.#searched(account);
    if (fd < 0 && this.#recount(account)) fd = this.#searched(account);
    if (fd < 0) this.#emptyUntil.set(account, this.#now() + EMPTY_MS);
    return fd;
  }

  #isKnownEmpty(account: number): boolean {
    return this.#now() < (this.#emptyUntil.get(account) ?? 0);
  }

  #searched(account: number): number {
    this.#found.set(account, this.#search(account));
    return this.#next(account);
  }

  #next(account: number): number {
    const found = this.#found.get(account);
    for (let next = found?.shift(); next; next = found?.shift())
      if (this.#isUnchanged(next)) return next.fd;
    return -1;
  }

  #isUnchanged({ fd, since }: Found): boolean {
    const shared = this.#shared;
    return shared.get(fd, FIELD.state) === STATE.idle && shared.touchedAt(fd) === since;
  }

  #search(account: number): Found[] {
    const shared = this.#shared;
    const { flight, used } = shared;
    const found: Found[] = [];
    for (let fd = 0; fd < used; fd++) {
      if (shared.glance(fd, FIELD.state) !== STATE.idle) continue;
      if (account >= 0 && shared.glance(fd, FIELD.account) !== account) continue;
      const since = shared.touchedAt(fd);
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
