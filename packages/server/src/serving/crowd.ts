const STEPS = 256; // in which kept-open connections waited for each other
const WITHIN_MS = 1000;

/**
 * Tells when a thread has more work with kept-open connections than it can do side by side: when
 * several of them ask within one step, step after step.
 */
export class Crowd {
  readonly #now: () => number;
  #served = 0; // in this step
  #steps = 0;
  #since = 0;

  /** @param now tells the time in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes a request on a connection that is kept open. */
  served(): void {
    this.#served++;
  }

  /** Ends a step. Returns whether it has been crowded for a while. */
  isLasting(): boolean {
    const isCrowded = this.#served > 1;
    this.#served = 0;
    if (!isCrowded) return false;
    if (this.#steps === 0) this.#since = this.#now();
    this.#steps++;
    if (this.#steps < STEPS) return false;
    this.#steps = 0;
    return this.#now() - this.#since < WITHIN_MS;
  }
}
