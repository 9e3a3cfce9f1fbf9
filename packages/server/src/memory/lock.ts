/* A lock in shared memory, for a few dozen instructions, that outlives the death of its holder. */

const FREE = 0;
const SPINS = 200;
const SLEEP_MS = 1;

/**
 * One thread's view of a lock. It is spun on, and slept on only if its holder has lost the CPU.
 *
 * The word in memory names the holder, so that whoever learns of a thread's death can let go of
 * what it held; the others would wait for ever.
 */
export class SharedLock {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;
  readonly #holder: number;
  #nested = false; // inside during()

  /** @param thread the number of the thread that uses this view, from -1, the main thread */
  constructor(words: Int32Array<SharedArrayBuffer>, index: number, thread: number) {
    this.#words = words;
    this.#index = index;
    this.#holder = holderName(thread);
  }

  acquire(): void {
    if (this.#nested) return;
    // Atomics.wait() would go by the time of day: set back by an hour it keeps a thread that long
    for (let tries = 0; !this.#try(); tries++) if (tries > SPINS) Bun.sleepSync(SLEEP_MS);
  }

  /* Takes the lock if it is free. */
  #try(): boolean {
    return Atomics.compareExchange(this.#words, this.#index, FREE, this.#holder) === FREE;
  }

  /**
   * Works under the lock, which that work may take once more. Waiting for it does not hold up the
   * event loop, which may have to learn yet that the holder is dead.
   */
  async during<T>(work: () => T): Promise<T> {
    while (!this.#try()) await Bun.sleep(SLEEP_MS);
    this.#nested = true;
    try {
      return work();
    } finally {
      this.#nested = false;
      this.release();
    }
  }

  release(): void {
    if (this.#nested) return;
    Atomics.store(this.#words, this.#index, FREE);
  }

  /** Lets go of the lock for a thread that is no more, if that held it. */
  releaseFor(thread: number): void {
    Atomics.compareExchange(this.#words, this.#index, holderName(thread), FREE);
  }
}

function holderName(thread: number): number {
  return thread + 2;
}
