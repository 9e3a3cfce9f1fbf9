const LOOK_US = 50;

/**
 * Tells how long a thread looks for events before it sleeps. To be woken can take longer than to
 * answer, so one client that asks again as soon as it is answered is served sooner by a thread that
 * is still awake (docs/decisions/0004-look-before-sleeping.md).
 */
export class Look {
  readonly #now: () => number;
  readonly #isAlone: () => boolean;
  #since = 0;
  #wasShort = false; // the last wait

  /**
   * @param now tells the time in milliseconds
   * @param isAlone tells whether no other thread has work: several that look take turns from each other
   */
  constructor(now: () => number, isAlone: () => boolean) {
    this.#now = now;
    this.#isAlone = isAlone;
  }

  /** Begins a wait. Returns for how many microseconds to look; 0 where the last wait was longer than that. */
  begin(): number {
    this.#since = this.#now();
    return this.#wasShort && this.#isAlone() ? LOOK_US : 0;
  }

  /** Ends the wait. */
  end(): void {
    this.#wasShort = (this.#now() - this.#since) * 1000 < LOOK_US;
  }
}
