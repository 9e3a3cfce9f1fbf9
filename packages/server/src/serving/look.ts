const LOOK_US = 100;
/* A thread that looks gives way to others that want its processor, and has it again after their time slice, some
   milliseconds later. A thread that sleeps has it as soon as it is woken. */
const LOST_MS = 1; // a wait with a look that took this long may have lost the processor to others
const PAUSE_MS = 100; // then this thread does not look for so long

/**
 * Tells how long a thread looks for events (polls) before it sleeps. Waking up can take longer than answering,
 * so a client that asks again as soon as it is answered is served sooner by a thread that is still awake
 * (docs/decisions/0004-look-before-sleeping.md).
 */
export class Look {
  readonly #now: () => number;
  readonly #isAlone: () => boolean;
  #since = 0;
  #wasShort = false; // the last wait
  #isLooking = false;
  #looksFrom = 0; // a time

  /**
   * @param now tells the time in milliseconds
   * @param isAlone tells whether no other thread has work: several that look take turns from each other
   */
  constructor(now: () => number, isAlone: () => boolean) {
    this.#now = now;
    this.#isAlone = isAlone;
  }

  /**
   * Begins a wait. Returns for how many microseconds to look; 0 where the last wait was longer than that,
   * or others seem to want the processor.
   */
  begin(): number {
    this.#since = this.#now();
    this.#isLooking = this.#wasShort && this.#since >= this.#looksFrom && this.#isAlone();
    return this.#isLooking ? LOOK_US : 0;
  }

  /** Ends the wait. */
  end(): void {
    const now = this.#now();
    const tookMs = now - this.#since;
    this.#wasShort = tookMs * 1000 < LOOK_US;
    if (this.#isLooking && tookMs >= LOST_MS) this.#looksFrom = now + PAUSE_MS;
  }
}
