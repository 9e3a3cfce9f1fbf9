import { POLLIN } from "@xsocket/xbind-native";
import { COUNTER, FIELD, STATE } from "../memory/memory.ts";
import { describePeer } from "./peer.ts";
import type { Context } from "./thread.ts";
import { WatchList } from "./watch.ts";

const LOOKS = 4; // how often a time limit is checked while it runs
const LOOKS_IN_A_ROW = 64; // then others have their turn

/** What it needs of the connections. */
interface Ending {
  isUnread(fd: number): boolean;
  end(fd: number): unknown;
}

/** The time limits of one thread's connections: for the first request, and for taking a reply. */
export class TimeLimits {
  readonly #context: Context;
  readonly #connections: Ending;
  readonly #watch: WatchList;

  constructor(context: Context, connections: Ending) {
    const { firstRequestMs, takeReplyMs } = context.options.bounds;
    const intervalMs = Math.max(1, Math.min(firstRequestMs, takeReplyMs) / LOOKS);
    this.#context = context;
    this.#connections = connections;
    this.#watch = new WatchList(intervalMs, context.shared.descriptors);
  }

  /** Milliseconds until a time limit has to be checked; -1 for none. */
  waitMs(): number {
    return this.#watch.size === 0 ? -1 : this.#watch.waitMs(this.#context.sys.monotonic());
  }

  /** Watches a connection that waits for its first request, or whose peer has a reply to take. */
  watch(fd: number): void {
    this.#watch.add(fd, this.#context.shared.touchedAt(fd));
  }

  /** Checks the connections that are due, but not too many in a row. */
  check(): void {
    const now = this.#context.sys.monotonic();
    for (let left = LOOKS_IN_A_ROW; left > 0; left--) {
      const fd = this.#watch.take(now);
      if (fd < 0) return;
      this.#look(fd, now);
    }
  }

  #look(fd: number, now: number): void {
    const { shared, options } = this.#context;
    const state = shared.get(fd, FIELD.state); // first: the number may become another thread's meanwhile
    if (shared.get(fd, FIELD.owner) !== options.index) return;
    if (state === STATE.fresh) return this.#lookAtFresh(fd, now);
    if ((state !== STATE.idle && state !== STATE.stuck) || !this.#connections.isUnread(fd)) return;
    if (now - shared.touchedAt(fd) < options.bounds.takeReplyMs) return this.#watch.add(fd, now);
    this.#expire(fd, state);
  }

  #lookAtFresh(fd: number, now: number): void {
    const { shared, options, sys } = this.#context;
    const isInTime = now - shared.touchedAt(fd) < options.bounds.firstRequestMs;
    // a server that was stopped for a while has not read yet what came in time
    if (isInTime || sys.poll(fd, POLLIN, 0) !== 0) return this.#watch.add(fd, now);
    this.#expire(fd, STATE.fresh);
  }

  #expire(fd: number, state: number): void {
    const { shared, options } = this.#context;
    if (!shared.change(fd, state, STATE.busy)) return;
    shared.count(options.index, COUNTER.timedOut);
    const pid = shared.get(fd, FIELD.pid);
    const uid = shared.get(fd, FIELD.uid) >>> 0;
    const fault =
      state === STATE.fresh ? "connected and asked nothing" : "does not receive its reply";
    const message = `${describePeer(pid, uid)} ${fault}: closed`;
    this.#context.say("info", "timeout", message, { pid, uid });
    this.#connections.end(fd);
  }
}
