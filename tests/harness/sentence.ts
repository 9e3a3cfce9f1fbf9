import { expect } from "bun:test";
import type { Result } from "./place.ts";

/**
 * Expects a command to have ended with this exit code, one sentence on stderr that has these words, nothing on
 * stdout, and no stack trace.
 */
export function expectSentence(
  { code, stdout, stderr }: Result,
  exit: number,
  ...says: readonly (string | RegExp)[]
): void {
  expect(stderr).toMatch(/^xsocket: [^\n]+\n$/);
  expect(stderr).not.toMatch(/\bat .*:\d+|node_modules|\.ts\b|undefined|\[object/);
  for (const words of says) expect(stderr).toMatch(words);
  expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
}
