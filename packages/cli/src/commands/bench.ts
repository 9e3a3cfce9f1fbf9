import type { ArgsDef } from "citty";
import { SyscallError } from "@xsocket/xbind-native";
import { SERVER_ARGUMENT, serverSocket } from "../address.ts";
import { Bar } from "../bench/bar.ts";
import { measure, type Measurement } from "../bench/measure.ts";
import { SUBJECTS, subjects } from "../bench/subjects.ts";
import { command, flag, option } from "../command.ts";
import { FailureError, MisuseError } from "../errors.ts";
import { table } from "../table.ts";
import { result } from "../words.ts";

const SECONDS = { default: "1", least: 0.1, most: 60 };

const args = {
  address: SERVER_ARGUMENT,
  seconds: { ...option("SECONDS", "How long each row is measured"), default: SECONDS.default },
  json: flag("Print JSON"),
} as const satisfies ArgsDef;

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds >= SECONDS.least && seconds <= SECONDS.most) return seconds;
  throw new MisuseError(
    `--seconds takes a number from ${SECONDS.least} to ${SECONDS.most}, not "${text}"`,
  );
}

interface Row {
  readonly title: string;
  readonly measured: Measurement;
}

function measureAll(path: string, durationMs: number): Row[] {
  using bar = new Bar();
  const rows: Row[] = [];
  for (const subject of subjects(path)) {
    const { title } = subject;
    const progress = (share: number) => bar.show((rows.length + share) / SUBJECTS, title);
    rows.push({ title, measured: measure(subject, durationMs, progress) });
  }
  return rows;
}

/* A server that runs at the start may end, or refuse more, while it is measured. */
function measuredOf(path: string, durationMs: number): Row[] {
  try {
    return measureAll(path, durationMs);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new FailureError(
      `the measurement was interrupted (${error.message}): the log of the server at ${path} says why`,
      { cause: error },
    );
  }
}

function shown(rows: readonly Row[]): string {
  const head = ["", "per second", "median", "99 of 100 within"];
  const lines = rows.map(({ title, measured: { perSecond, p50, p99 } }) => [
    title,
    Math.round(perSecond).toLocaleString("en").padStart(10),
    `${p50.toFixed(1)} µs`,
    `${p99.toFixed(1)} µs`,
  ]);
  return table([head, ...lines]);
}

export default command({
  meta: { description: "Measure how fast the server is on this machine" },
  args,
  execute({ address, seconds, json }) {
    const durationMs = readSeconds(seconds) * 1000;
    const rows = measuredOf(serverSocket(address), durationMs);
    result(json ? JSON.stringify(rows, undefined, 2) : shown(rows));
  },
});
