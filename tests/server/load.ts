/* The load generator of the benchmark, run as a well-behaved client. */
import { chmodSync, copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import { asOrdinaryUser, here, type TempDir } from "../harness/index.ts";

/** What is looked at of the measurements of a load. */
interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  /** The load generator's messages about failures. */
  readonly said: string;
  /** In microseconds. */
  readonly p99: number;
}

/** The kind of load; "kept" keeps one connection for each caller, "call" opens one for each request. */
export interface Load {
  readonly mode: "call" | "kept";
  readonly callers: number;
  readonly seconds: number;
}

/** A copy of the load generator that any user can run. */
export function loadProgram(directory: TempDir): string[] {
  const library = libraryPath("xsocket");
  const program = directory.join("bench_load");
  copyFileSync(join(dirname(library), "bench/bench_load"), program);
  copyFileSync(library, directory.join("libxsocket.so.1"));
  chmodSync(program, 0o755);
  return ["env", `LD_LIBRARY_PATH=${directory.path}`, program];
}

/** Runs a load as an ordinary user. */
export async function runLoad(
  program: readonly string[],
  path: string,
  { mode, callers, seconds }: Load,
): Promise<LoadResult> {
  const argv = asOrdinaryUser([...program, path, mode, String(callers), String(seconds)]);
  const { code, stdout, stderr } = await here.run(argv, { withinMs: seconds * 1000 + 20_000 });
  if (code !== 0) throw new Error(`the load failed: ${stderr}`);
  const result: Omit<LoadResult, "said"> = JSON.parse(stdout);
  return { ...result, said: stderr };
}
