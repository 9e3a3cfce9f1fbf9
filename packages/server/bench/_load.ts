import { join } from "node:path";
import { type Contender, PROGRAMS } from "./_contender.ts";

/** A connection for each socket, or one kept open for each caller. */
export type Mode = "call" | "kept";

/** What one server did in one round. Times in microseconds. */
export interface Round {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** The server's CPU time for each request. */
  readonly cpu: number;
}

/** The command that keeps the callers on one processor, where {@link Contender.pin} put the server. */
export const PINNED = ["taskset", "-c", "0"];

/** Lets so many callers ask a server for so many seconds, started by `command` if one is given. */
export async function load(
  server: Contender,
  mode: Mode,
  callers: number,
  seconds: number,
  command: readonly string[] = [],
): Promise<Round> {
  const before = server.cpuSeconds();
  const program = [...command, join(PROGRAMS, "bench_load")];
  const argv = [...program, server.path, mode, String(callers), String(seconds)];
  const process = Bun.spawn(argv, { stdin: "ignore" });
  const figures: Omit<Round, "cpu"> = JSON.parse(await new Response(process.stdout).text());
  if ((await process.exited) !== 0) throw new Error(`${argv.join(" ")} failed`);
  const cpu = ((server.cpuSeconds() - before) * 1e6) / Math.max(1, figures.requests);
  return { ...figures, cpu };
}

/** The middle one of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** The middle of each figure of some rounds. */
export function summary(rounds: readonly Round[]): Round {
  const of = (name: keyof Round) => median(rounds.map((round) => round[name]));
  return {
    requests: rounds.reduce((sum, round) => sum + round.requests, 0),
    failed: rounds.reduce((sum, round) => sum + round.failed, 0),
    perSecond: of("perSecond"),
    p50: of("p50"),
    p99: of("p99"),
    p999: of("p999"),
    cpu: of("cpu"),
  };
}
