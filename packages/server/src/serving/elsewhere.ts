import { POLLHUP } from "@xsocket/xbind-native";
import { FIELD, STATE } from "../memory/memory.ts";
import { isReceived } from "./connections.ts";
import { PAUSE_MS } from "./idle.ts";
import { Recent } from "./recent.ts";
import type { Context } from "./thread.ts";

const MAX = 64; // descriptors in one call
const CALLS_MAX = 4; // in one search
const PAUSE = 20; // times as long as the search took

/*
 * Takes one that is over out of the count that is full. False if it was not in that, or if by now its number
 * is that of another connection, which `isUnchanged` tells.
 */
type Uncount = (fd: number, isUnchanged: () => boolean) => boolean;

/**
 * Finds connections of other threads that are over: their clients have gone, or they were evicted. Such a
 * connection counts until its own thread comes to closing it, and somebody would be refused, or closed, for it.
 */
export class Elsewhere {
  readonly #context: Context;
  readonly #uncount: Uncount;
  readonly #pairs = new Int32Array(new ArrayBuffer(MAX * 8));
  readonly #since = new Float64Array(MAX);
  readonly #pausedUntil = new Recent<number>();
  #last = 0; // the connection that was looked at last
  #tookMs = 0; // the last search

  /** @param uncount by default, all count until they are closed */
  constructor(context: Context, uncount: Uncount = (_fd, isUnchanged) => isUnchanged()) {
    this.#context = context;
    this.#uncount = uncount;
  }

  /**
   * Whether so many are found, of one account or (-1) of all. Never more than 64: a thread that hangs closes none,
   * and they would stay open beside those that are admitted in their place.
   */
  finds(account: number, needed: number): boolean {
    const { shared, sys } = this.#context;
    if (needed > MAX || shared.serving() < 2 || this.#isPaused(account)) return false;
    const start = sys.monotonic();
    const found = this.#search(account, needed);
    this.#tookMs = sys.monotonic() - start;
    return found >= needed;
  }

  /**
   * Pauses the searches for one account or (-1) for all, after one that did not find enough: in a flood each newcomer
   * would make another one. Not for those of idle.ts as well: they often find one then, and go on.
   */
  pause(account: number): void {
    if (this.#isPaused(account)) return; // else a flood would have no search at all
    const pauseMs = Math.min(PAUSE_MS, PAUSE * this.#tookMs);
    this.#pausedUntil.set(account, this.#context.sys.monotonic() + pauseMs);
  }

  #isPaused(account: number): boolean {
    return this.#context.sys.monotonic() < (this.#pausedUntil.get(account) ?? 0);
  }

  /* One round at most. The next search goes on behind this one. */
  #search(account: number, needed: number): number {
    const { used } = this.#context.shared;
    let left = used;
    let found = 0;
    for (let calls = 0; calls < CALLS_MAX && left > 0 && found < needed; calls++) {
      let count = 0;
      for (; left > 0 && count < MAX; left--) {
        this.#last = (this.#last + 1) % used;
        if (this.#isCandidate(this.#last, account)) this.#note(this.#last, count++);
      }
      if (count > 0) found += this.#look(count);
    }
    return found;
  }

  #isCandidate(fd: number, account: number): boolean {
    const { shared, options } = this.#context;
    const state = shared.glance(fd, FIELD.state);
    if (state === STATE.free) return false;
    if (account >= 0 && shared.glance(fd, FIELD.account) !== account) return false;
    const isPosted = state === STATE.moving || state === STATE.evicted; // in an inbox, perhaps in our own
    return isPosted || shared.glance(fd, FIELD.owner) !== options.index;
  }

  #note(fd: number, place: number): void {
    this.#pairs[2 * place] = fd;
    this.#pairs[2 * place + 1] = 0;
    this.#since[place] = this.#context.shared.touchedAt(fd);
  }

  #look(count: number): number {
    const { sys } = this.#context;
    sys.pollMany(this.#pairs, count);
    let found = 0;
    for (let i = 0; i < count; i++) {
      const fd = this.#pairs[2 * i] ?? 0;
      const hasHungUp = ((this.#pairs[2 * i + 1] ?? 0) & POLLHUP) !== 0;
      if (this.#isOver(fd, hasHungUp) && this.#uncount(fd, () => this.#isUnchanged(fd, i))) found++;
    }
    return found;
  }

  /* One that is only shut down can still receive a socket, which stays in flight until then. */
  #isOver(fd: number, hasHungUp: boolean): boolean {
    const { shared, sys } = this.#context;
    if (shared.get(fd, FIELD.state) === STATE.evicted) return true;
    return hasHungUp && isReceived(sys, fd);
  }

  /* Otherwise its number may have been that of another descriptor when the kernel was asked. */
  #isUnchanged(fd: number, place: number): boolean {
    const { shared } = this.#context;
    return (
      shared.get(fd, FIELD.state) !== STATE.free && shared.touchedAt(fd) === this.#since[place]
    );
  }
}
