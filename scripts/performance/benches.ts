/* What the benches write below build/bench, and the machine that they have run on. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { availableParallelism, release } from "node:os";
import { join } from "node:path";
import type { Row as SdkRow } from "../../packages/client/bench/sdk.ts";
import type { Idle } from "../../packages/server/bench/_idle.ts";
import type { Resident, Row as Load } from "../../packages/server/bench/server.ts";

export type { Load, SdkRow };

/** The words for how callers connect. */
export const MODES = { call: "a connection for each call", kept: "kept-open connections" };

/** server.json */
export interface ServerBench {
  readonly rows: readonly Load[];
  readonly resident: readonly Resident[];
  readonly idle: Idle;
}

/** A line of xbind.json; a goal reads `at most 60 ns more` or `at most 3 times`, or is empty. */
export interface XbindRow {
  readonly what: string;
  readonly without_ns: number;
  readonly with_ns: number;
  readonly more_ns: number;
  readonly ratio: number;
  readonly goal: string;
}

/** The last run of each bench. */
export interface Benches {
  readonly server: ServerBench;
  readonly xbind: readonly XbindRow[];
  readonly sdk: { readonly rows: readonly SdkRow[] };
  /** When each has ended. */
  readonly dates: Readonly<Record<"server" | "xbind" | "sdk", Date>>;
}

/** What determines a machine's speed, and nothing that identifies it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly bun: string;
}

/** Reads all results. None may be missing, as a page without some, or with old ones, would mislead. */
export function readBenches(directory: string): Benches {
  const path = (name: string): string => {
    const file = join(directory, `${name}.json`);
    if (existsSync(file)) return file;
    throw new Error(`cannot read the result of the ${name} bench: run ./dev bench ${name} first`);
  };
  const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"));
  const date = (name: string): Date => statSync(path(name)).mtime;
  return {
    server: read("server"),
    xbind: read("xbind"),
    sdk: read("sdk"),
    dates: { server: date("server"), xbind: date("xbind"), sdk: date("sdk") },
  };
}

/** The results lie in the build directory, so this is the machine that they come from. */
export function thisMachine(): Machine {
  const cpuinfo = readFileSync("/proc/cpuinfo", "utf8");
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? process.arch,
    cores: availableParallelism(),
    kernel: /^[\d.]+/.exec(release())?.[0] ?? release(), // without what a distributor adds
    bun: Bun.version,
  };
}
