const WITHIN_MS = 30_000; // long enough for a slow, shared machine
const PAUSE_MS = 10; // between two checks

/**
 * Waits for a condition, so that no test waits for a fixed time.
 *
 * @param what completes the sentence "waited in vain for …"
 * @returns the first value that is neither undefined nor false
 * @throws {Error} if it did not come true within `withinMs`
 */
export async function eventually<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  withinMs = WITHIN_MS,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await Bun.sleep(PAUSE_MS);
  }
}
