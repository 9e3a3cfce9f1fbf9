import { escapeText } from "../_escape.ts";

/** One mistake in a policy. */
export interface Problem {
  /** What is wrong, and what to write instead. */
  readonly text: string;
  /** The line that it is about, from 1; undefined where none can be named. */
  readonly line?: number | undefined;
}

/** A policy cannot be used. The message has one line for each problem, as "FILE:LINE: text". */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  /** What is wrong, each with its line. */
  readonly problems: readonly Problem[];

  constructor(source: string, problems: readonly Problem[], options?: ErrorOptions) {
    const lines = problems.map(({ text, line }) =>
      escapeText(line === undefined ? `${source}: ${text}` : `${source}:${line}: ${text}`),
    );
    super(lines.join("\n"), options);
    this.problems = problems;
  }
}
