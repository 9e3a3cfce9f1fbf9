/*
 * The connections that have a time limit, looked at in turn.
 *
 * A descriptor's number is in the list at most once, however many connections have it one after the
 * other, and leaves it when a look finds nothing to wait for: so a server whose clients are all idle
 * sets no timer and is never woken.
 */

/** A queue of connections, each with the time of the next look at it. All wait equally long. */
export class WatchList {
  readonly #intervalMs: number;
  #fds: number[] = [];
  #due: number[] = [];
  #head = 0;
  readonly #isIn: Uint8Array;

  /** @param descriptors the numbers are below this one */
  constructor(intervalMs: number, descriptors: number) {
    this.#intervalMs = intervalMs;
    this.#isIn = new Uint8Array(descriptors);
  }

  get size(): number {
    return this.#fds.length - this.#head;
  }

  /** Asks for a look at what has this number an interval from now, or earlier if one is already due. */
  add(fd: number, now: number): void {
    if (this.#isIn[fd] === 1) return;
    this.#isIn[fd] = 1;
    this.#fds.push(fd);
    this.#due.push(now + this.#intervalMs);
  }

  /** Milliseconds until the first look, rounded up; -1 for none. */
  waitMs(now: number): number {
    const due = this.#due[this.#head];
    return due === undefined ? -1 : Math.max(0, Math.ceil(due - now));
  }

  /** Takes the next connection that is due by `now`; -1 when none is. */
  take(now: number): number {
    const due = this.#due[this.#head];
    if (due === undefined || due > now) return -1;
    const fd = this.#fds[this.#head++] ?? -1;
    this.#isIn[fd] = 0;
    if (this.#head > 1024 && this.#head * 2 > this.#fds.length) this.#compact();
    return fd;
  }

  #compact(): void {
    this.#fds = this.#fds.slice(this.#head);
    this.#due = this.#due.slice(this.#head);
    this.#head = 0;
  }
}
