/* A lock in shared memory, held for a few dozen instructions, that can be released if its holder dies. */

const FREE = 0;
const SPINS = 200;
const SLEEP_MS = 1;

/**
 * One thread's view of a lock. Waiting spins first, and sleeps only if the holder has lost the CPU.
 *
 * The word in memory names the holder, so that whoever notices a thread's death can release what it
 * held; the others would wait for ever.
 */
export class SharedLock {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;
  readonly #holder: number;

  /** @param thread the number of the thread that uses this view, -1 for the main thread */
  constructor(words: Int32Array<SharedArrayBuffer>, index: number, thread: number) {
    this.#words = words;
    this.#index = index;
    this.#holder = holderName(thread);
  }

  acquire(): void {
    // Not Atomics.wait(), which goes by the time of day: a clock set back by an hour would keep a thread that long.
    for (let tries = 0; !this.#try(); tries++) if (tries > SPINS) Bun.sleepSync(SLEEP_MS);
  }

  /* Takes the lock if it is free. */
  #try(): boolean {
    return Atomics.compareExchange(this.#words, this.#index, FREE, this.#holder) === FREE;
  }

  /**
   * Runs `work` under the lock. Waiting does not hold up the event loop, which may still have to notice that the
   * holder is dead.
   */
  async during<T>(work: () => T): Promise<T> {
    while (!this.#try()) await Bun.sleep(SLEEP_MS);
    try {
      return work();
    } finally {
      this.release();
    }
  }

  release(): void {
    Atomics.store(this.#words, this.#index, FREE);
  }

  /** Releases the lock for a thread that has died, if that held it. */
  releaseFor(thread: number): void {
    Atomics.compareExchange(this.#words, this.#index, holderName(thread), FREE);
  }
}

function holderName(thread: number): number {
  return thread + 2;
}
