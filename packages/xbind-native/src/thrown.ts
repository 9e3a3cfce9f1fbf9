import { shown } from "./shown.ts";

/* Anything can be thrown, and be an error's message or code: an object without a prototype has no text. */
function textOf(value: unknown): string {
  return tried(() => String(value)) ?? shown(value);
}

/** The code of what the runtime or a library has thrown, for example "ENOENT"; else its text. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? textOf(error.code) : textOf(error);
}

/** The message of an error, or the text of anything else that was thrown. It never throws: a getter may. */
export function reasonOf(error: unknown): string {
  const read = () => textOf(error instanceof Error ? error.message : error);
  return tried(read) ?? "an error that cannot be read";
}

/** What `run` returns; undefined if it throws, for what may fail without harm. */
export function tried<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
