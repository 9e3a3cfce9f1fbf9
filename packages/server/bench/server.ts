/*
 * `./dev bench server`: our server, the floor and a fork for each connection, in one run.
 *
 * The servers take turns in short rounds, and ratios are taken within a round, so that what else
 * the machine does hits all of them alike. Each round has an order of its own, for whoever comes
 * after many processes that have just ended finds the kernel still busy with them.
 *
 * For a quick look, whose result is not for docs/performance.md:
 * BENCH_ROUNDS=1 BENCH_SECONDS=0.1 BENCH_CALLERS=4 ./dev bench server
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_THREADS } from "../src/index.ts";
import { Contender } from "./_contender.ts";
import { measureIdle } from "./_idle.ts";
import { load, median, type Mode, type Round, summary } from "./_load.ts";
import { mb, perSecond, printTable, us } from "./_table.ts";

const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 9);
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 0.25);
const WARM_SECONDS = { call: 1, kept: 6 }; // several threads share kept-open connections, and each compiles for itself
const PAUSE_MS = 20; // between two loads
const STARTS = 5; // of each server, for the time that it takes
const CALLERS = (process.env["BENCH_CALLERS"] ?? "1,4,16,64").split(",").map(Number);
const OUTPUT = join(import.meta.dir, "../../../build/bench/server.json");

/** What one server did with so many callers. */
export interface Row {
  readonly mode: Mode;
  readonly callers: number;
  readonly server: string;
  readonly figures: Round;
  /** Requests per second against each other server, the median of the rounds' ratios. */
  readonly against: Readonly<Record<string, number>>;
}

/** What a server needed to start, and had after the load. */
export interface Resident {
  readonly server: string;
  /** The median of {@link STARTS}. */
  readonly readyMs: number;
  readonly residentMb: number;
}

function ratio(a: readonly Round[], b: readonly Round[]): number {
  return median(a.map((round, i) => round.perSecond / (b[i]?.perSecond ?? NaN)));
}

function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
}

/* Bun compiles what runs often, in each thread for a second or so; a service has that behind it. */
async function warmUp(servers: readonly Contender[]): Promise<void> {
  for (const server of servers)
    for (const mode of ["call", "kept"] as const)
      if (mode === "call" || server.name !== "floor")
        await load(server, mode, 4, WARM_SECONDS[mode]);
}

/* One mode and number of callers, all servers in turn. */
async function compare(servers: readonly Contender[], mode: Mode, callers: number): Promise<Row[]> {
  const rounds = servers.map((): Round[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, server] of shuffled([...servers.entries()])) {
      await Bun.sleep(PAUSE_MS);
      rounds[i]?.push(await load(server, mode, callers, SECONDS));
    }
  return servers.map((server, i) => ({
    mode,
    callers,
    server: server.name,
    figures: summary(rounds[i] ?? []),
    against: Object.fromEntries(
      servers.flatMap((other, j) =>
        i === j ? [] : [[other.name, ratio(rounds[i] ?? [], rounds[j] ?? [])]],
      ),
    ),
  }));
}

async function compareAll(servers: readonly Contender[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const mode of ["call", "kept"] as const) {
    const able = servers.filter((server) => mode === "call" || server.name !== "floor");
    for (const callers of CALLERS) rows.push(...(await compare(able, mode, callers)));
  }
  return rows;
}

function printRows(rows: readonly Row[]): void {
  printTable(
    ["mode", "callers", "server", "requests/s", "p50", "p99", "p99.9", "CPU", "/floor", "/fork"],
    rows.map(({ mode, callers, server, figures, against }) => [
      mode,
      String(callers),
      server,
      perSecond(figures.perSecond),
      us(figures.p50),
      us(figures.p99),
      us(figures.p999),
      us(figures.cpu),
      against["floor"]?.toFixed(2) ?? "",
      against["fork"]?.toFixed(2) ?? "",
    ]),
  );
}

type Start = (path: string) => Promise<Contender>;

const START: readonly Start[] = [
  (path) => Contender.ours("ours, 1 thread", path, 1),
  (path) => Contender.ours("ours", path, DEFAULT_THREADS),
  (path) => Contender.native("floor", path),
  (path) => Contender.native("fork", path, "fork"),
];

async function readyAfter(start: Start, path: string): Promise<number> {
  await using server = await start(path);
  return server.readyMs;
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "xsocket-bench-"));
  const pathOf = (i: number) => join(directory, `${i}`);
  try {
    const readyMs = START.map((): number[] => []);
    for (let time = 0; time < STARTS; time++)
      for (const [i, start] of START.entries())
        readyMs[i]?.push(await readyAfter(start, pathOf(i)));
    await using stack = new AsyncDisposableStack();
    const servers: Contender[] = [];
    for (const [i, start] of START.entries()) servers.push(stack.use(await start(pathOf(i))));
    await warmUp(servers);
    const rows = await compareAll(servers);
    printRows(rows);
    const resident = servers.map((server, i): Resident => ({
      server: server.name,
      readyMs: median(readyMs[i] ?? []),
      residentMb: server.residentMb(),
    }));
    printTable(
      ["server", "ready after", "resident"],
      resident.map((row) => [row.server, `${row.readyMs.toFixed(0)} ms`, mb(row.residentMb)]),
    );
    const idle = await measureIdle(join(directory, "idle"));
    mkdirSync(join(OUTPUT, ".."), { recursive: true });
    await Bun.write(OUTPUT, JSON.stringify({ rows, resident, idle }, null, 2));
    console.log(`written to ${OUTPUT}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

await main();
