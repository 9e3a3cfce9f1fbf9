import { EXIT, FailureError } from "./errors.ts";

/** What to say about an error, and the exit code: never a stack trace. */
export function explain(error: unknown): { sentence: string; exitCode: number } {
  const sentence = error instanceof Error ? error.message : String(error);
  const exitCode = error instanceof FailureError ? error.exitCode : EXIT.failed;
  return { sentence: sentence.replace(/\s*\n\s*/g, " "), exitCode };
}
