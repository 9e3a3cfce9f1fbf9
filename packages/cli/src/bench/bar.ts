const WIDTH = 30; // characters
const ERASE = "\r\u001B[K";

/** A progress bar on a terminal; elsewhere it shows nothing. */
export class Bar implements Disposable {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** Shows a share from 0 to 1. */
  show(share: number, title: string): void {
    if (!this.#stream.isTTY) return;
    const done = Math.round(Math.min(1, share) * WIDTH);
    const bar = "#".repeat(done) + ".".repeat(WIDTH - done);
    this.#stream.write(`${ERASE}[${bar}] ${title}`);
  }

  [Symbol.dispose](): void {
    if (this.#stream.isTTY) this.#stream.write(ERASE);
  }
}
