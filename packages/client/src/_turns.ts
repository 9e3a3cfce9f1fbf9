import { onAbort } from "./_wait.ts";

/** Limits how many operations are under way at once. Others wait for their turn. */
export class Turns {
  #left: number;
  readonly #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#left = most;
  }

  /**
   * Runs `work` in its turn, which ends with `work`, or earlier when that calls the function it is given.
   *
   * @throws the signal's reason, if it is aborted before; what `work` throws
   */
  async run<T>(
    signal: AbortSignal | undefined,
    work: (done: () => void) => Promise<T>,
  ): Promise<T> {
    if (this.#left > 0) this.#left--;
    else await this.#turn(signal);
    let isOver = false;
    const done = (): void => {
      if (!isOver) this.#giveOn();
      isOver = true;
    };
    try {
      return await work(done);
    } finally {
      done();
    }
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const forget = onAbort(signal, (reason) => {
      if (this.#waiting.delete(resolve)) reject(reason); // else it has the turn, and gives it on
    });
    await promise.finally(forget);
  }

  #giveOn(): void {
    const [next] = this.#waiting;
    if (!next) return void this.#left++;
    this.#waiting.delete(next);
    next();
  }
}
