/* The goals, each with the figure of the last run and the ratio of figure and goal. */
import { type Benches, MODES, type SdkRow, type ServerBench, type XbindRow } from "./benches.ts";

/** A goal, and whether it was met. */
export interface Goal {
  readonly what: string;
  /** In words, as `at least 0.95`. */
  readonly goal: string;
  readonly measured: string;
  /** Figure by goal. */
  readonly ratio: number;
  readonly met: boolean;
  /** Whether the verdict depends on what else the machine did: rates and times, but not memory or counts. */
  readonly byLoad: boolean;
}

/** The server with its default number of threads, which goals are about if they name no number. */
const DEFAULT_SERVER = "ours";
const ONE_THREAD = "ours, 1 thread";
/* Our threads by name: the main one and those that serve. All others are Bun's own. */
const OUR_THREADS = /^(bun|xsocket)/;

/* Set `byLoad` for a time or rate of one run, which may differ in the next; the least of many rounds is steady. */
function judge(what: string, goal: string, figure: number, unit: string, byLoad = false): Goal {
  const [, direction, limit] = /^at (least|most) ([\d.]+)/.exec(goal) ?? [];
  if (direction === undefined) throw new Error(`cannot tell what "${goal}" of "${what}" asks for`);
  const ratio = figure / Number(limit);
  const digits = unit === "" || unit === " times" ? 2 : 0;
  return {
    what,
    goal,
    measured: `${figure.toFixed(digits)}${unit}`,
    ratio,
    met: direction === "least" ? ratio >= 1 : ratio <= 1,
    byLoad,
  };
}

/* Rates of the default server against another one's. */
function rateGoals(bench: ServerBench, mode: "call" | "kept", other: string, goal: string): Goal[] {
  return bench.rows
    .filter((row) => row.mode === mode && row.server === DEFAULT_SERVER)
    .map(({ callers, against }) =>
      judge(
        `${MODES[mode]}, ${callers} ${callers === 1 ? "caller" : "callers"}: rate against ${other}`,
        goal,
        against[other] ?? NaN,
        "",
        true,
      ),
    );
}

function serverGoals(bench: ServerBench): Goal[] {
  const one = bench.resident.find(({ server }) => server === ONE_THREAD);
  const { wakeUps, connections, withUs, withoutUs } = bench.idle;
  const ours = Object.entries(wakeUps).filter(([thread]) => OUR_THREADS.test(thread));
  const count = ours.reduce((sum, [, times]) => sum + times, 0);
  return [
    ...rateGoals(bench, "call", "floor", "at least 0.95"),
    ...rateGoals(bench, "call", "fork", "at least 8"),
    ...rateGoals(bench, "kept", "fork", "at least 1.0").filter(({ what }) =>
      what.includes(", 4 callers"),
    ),
    judge("time from exec to ready, one thread", "at most 60 ms", one?.readyMs ?? NaN, " ms", true),
    judge("resident, one thread, idle", "at most 45 MB", bench.idle.residentMb, " MB"),
    judge("resident, one thread, after load", "at most 45 MB", one?.residentMb ?? NaN, " MB"),
    {
      what: "wake-ups of our threads in 10 idle seconds",
      goal: "none",
      measured: String(count),
      ratio: count,
      met: count === 0,
      byLoad: false,
    },
    judge(
      `a request beside ${connections} idle connections, against one without`,
      "at most 1.5 times",
      withUs / withoutUs,
      " times",
      true,
    ),
  ];
}

function xbindGoals(rows: readonly XbindRow[]): Goal[] {
  return rows
    .filter(({ goal }) => goal !== "")
    .map(({ what, goal, more_ns: more, ratio }) =>
      goal.includes(" ns ") ? judge(what, goal, more, " ns") : judge(what, goal, ratio, " times"),
    );
}

function sdkGoals(rows: readonly SdkRow[]): Goal[] {
  return rows.flatMap(({ what, ratio, of, goal }) =>
    goal === undefined ? [] : [judge(`${what} against ${of}`, goal, ratio ?? NaN, "", true)],
  );
}

/** All goals, by the bench that measures them. */
export function goalsOf({ server, xbind, sdk }: Benches) {
  return { server: serverGoals(server), xbind: xbindGoals(xbind), sdk: sdkGoals(sdk.rows) };
}
