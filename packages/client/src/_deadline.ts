import { wrongValue } from "./_options.ts";

/** How long an operation may take unless it is told otherwise, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 5000;
/** The longest time that setTimeout and poll(2) take, in milliseconds. */
export const LONGEST_MS = 2 ** 31 - 1;

/** How to end an operation early. */
export interface Limits {
  /** Aborting it ends the operation with the signal's reason, as with `fetch`. */
  readonly signal?: AbortSignal | undefined;
  /** The longest time that the operation takes, in milliseconds; 5000 by default. */
  readonly timeoutMs?: number | undefined;
}

export const LIMIT_KEYS = ["signal", "timeoutMs"] as const;

/** Checks the types of {@link Limits}. @throws {XSocketError} EINVAL */
export function checkLimits(
  asked: string,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: Limits,
): void {
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) {
    const remedy = "Give a time in milliseconds above 0, or Infinity.";
    throw wrongValue(asked, "timeoutMs", timeoutMs, remedy);
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function")
    throw wrongValue(asked, "signal", signal, "Give an AbortSignal.");
}

/** The point in time and the signal that end an operation. */
export class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #at: number;

  /** Takes limits that checkLimits() has passed. @throws the signal's reason if it is aborted */
  constructor({ signal, timeoutMs = DEFAULT_TIMEOUT_MS }: Limits) {
    signal?.throwIfAborted();
    this.signal = signal;
    this.#at = performance.now() + timeoutMs;
  }

  /** What is left, for an operation that is part of this one. */
  limits(): Limits {
    return { signal: this.signal, timeoutMs: Math.max(1, this.leftMs()) };
  }

  /** Milliseconds left, rounded up; 0 when the time is over. */
  leftMs(): number {
    return Math.max(0, Math.min(LONGEST_MS, Math.ceil(this.#at - performance.now())));
  }
}
