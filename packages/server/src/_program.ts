import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

function contents(file: URL): bigint | number | undefined {
  try {
    return Bun.hash(readFileSync(file));
  } catch {
    return undefined; // whoever runs it learns why
  }
}

/**
 * A file that threads are started from, long after the others may be. An upgrade replaces it, and
 * threads of two versions do not agree about the memory that they share.
 */
export class Program {
  readonly file: URL;
  readonly #contents: bigint | number | undefined;

  constructor(file: URL) {
    this.file = file;
    this.#contents = contents(file);
  }

  /** @throws {Error} if it is not what it was */
  expectSame(): void {
    if (contents(this.file) === this.#contents) return;
    throw new Error(
      `${fileURLToPath(this.file)} has changed since this server started. Restart the server, so that it is of one version`,
    );
  }
}
