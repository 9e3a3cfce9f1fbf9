/*
 * ./dev bench sdk: what the SDK costs, measured in one run and in turns
 *
 *   sockets  the C library's xsocket() in a loop (a C program), xsocketSync, xsocket and Session
 *   http     Bun.serve in the target namespace itself, and serve() from outside through a server
 *
 * Each figure is the median of some rounds. The last column is the ratio that is promised. The same is
 * written as JSON.
 */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Bench } from "tinybench";
import { Session, xsocket, xsocketSync } from "@xsocket/client";
import { libraryPath } from "@xsocket/xbind-native";
import {
  createNamespace,
  here,
  type Namespace,
  startServer,
} from "../../../tests/harness/index.ts";

const ROUNDS = 5;
const SECONDS = 0.7; // of each measurement
const OVERLAP = 16; // requests at once, where they overlap
const LOAD = join(dirname(libraryPath("xsocket")), "bench/bench_load");
const OUTPUT = join(import.meta.dir, "../../../build/bench/sdk.json");

/** A rate in calls a second, and the middle time of one call in microseconds. */
interface Figure {
  readonly rate: number;
  readonly p50: number;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function middle(figures: readonly Figure[]): Figure {
  return {
    rate: median(figures.map(({ rate }) => rate)),
    p50: median(figures.map(({ p50 }) => p50)),
  };
}

async function runC(via: string): Promise<Figure> {
  const program = Bun.spawn([LOAD, via, "call", "1", String(SECONDS)]);
  const told: { perSecond: number; p50: number } = JSON.parse(
    await new Response(program.stdout).text(),
  );
  return { rate: told.perSecond, p50: told.p50 };
}

async function measure(call: () => unknown, calls = 1): Promise<Figure> {
  const bench = new Bench({ time: SECONDS * 1000, warmupTime: 50 });
  bench.add("it", async () => void (await call()));
  const [task] = await bench.run();
  if (task?.result.state !== "completed") throw new Error("the measurement did not complete");
  const { latency } = task.result;
  // calls by time, as the C program counts; the mean of each call's own rate would forget the slow ones
  return { rate: (calls * 1000) / latency.mean, p50: latency.p50 * 1000 };
}

async function overlapping(session: Session): Promise<void> {
  const all = Array.from({ length: OVERLAP }, () => session.socket());
  for (const socket of await Promise.all(all)) socket.close();
}

/** What one figure is to be of another. */
interface Ratio {
  readonly ratio: number;
  readonly of: string;
  /** `at least N` or `at most N`, where something is promised. */
  readonly goal?: string;
}

/** A line of the table, and of the JSON; HTTP has no time of one call. */
interface Row extends Partial<Ratio> {
  readonly what: string;
  readonly perSecond: number;
  readonly p50?: number;
}

const rows: Row[] = [];

function row(what: string, { rate, p50 }: Figure, ratio?: Ratio): void {
  rows.push({ what, perSecond: rate, ...(Number.isNaN(p50) ? {} : { p50 }), ...ratio });
  const figures = `${Math.round(rate).toLocaleString("en").padStart(9)}/s`;
  const time = Number.isNaN(p50) ? "" : `${p50.toFixed(0)} us`;
  const goal = ratio?.goal === undefined ? "" : ` (${ratio.goal})`;
  const promise = ratio ? `${ratio.ratio.toFixed(2)} of ${ratio.of}${goal}` : "";
  console.log(`${what.padEnd(32)} ${figures} ${time.padStart(8)}   ${promise}`);
}

async function benchSockets(via: string): Promise<void> {
  using session = new Session({ via });
  const kinds: Record<string, () => Promise<Figure>> = {
    c: () => runC(via),
    sync: () => measure(() => xsocketSync({ via }).close()),
    async: () => measure(async () => (await xsocket({ via })).close()),
    session: () => measure(async () => (await session.socket()).close()),
    overlap: () => measure(() => overlapping(session), OVERLAP),
  };
  const figures: Record<string, Figure[]> = {};
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, run] of Object.entries(kinds)) (figures[name] ??= []).push(await run());
  const of = (name: string): Figure => middle(figures[name] ?? []);
  const ofC = (name: string, goal = {}): Ratio => ({
    ratio: of(name).rate / of("c").rate,
    of: "C's rate",
    ...goal,
  });
  row("xsocket() in C", of("c"));
  row("xsocketSync", of("sync"), ofC("sync", { goal: "at least 0.83" }));
  row("xsocket", of("async"), {
    ratio: of("async").p50 / of("sync").p50,
    of: "xsocketSync's p50",
    goal: "at most 3",
  });
  row("Session.socket, one at a time", of("session"), ofC("session", { goal: "at least 1.5" }));
  row(`Session.socket, ${OVERLAP} at once`, { ...of("overlap"), p50: Number.NaN }, ofC("overlap"));
}

async function loadHttp(target: Namespace, port: string): Promise<number> {
  const load = [process.execPath, join(import.meta.dir, "_load.ts"), port, String(SECONDS * 2)];
  const { stdout, stderr } = await target.run(load);
  if (!stdout) throw new Error(`the load generator failed: ${stderr}`);
  return Number(stdout);
}

async function benchHttp(target: Namespace, via: string): Promise<void> {
  const script = join(import.meta.dir, "_serve.ts");
  await using native = target.spawn([process.execPath, script]);
  await using through = here.spawn([process.execPath, script, via]);
  const ports = { native: await native.says(/\d+/), through: await through.says(/\d+/) };
  const rates: Record<keyof typeof ports, number[]> = { native: [], through: [] };
  for (let round = 0; round < ROUNDS; round++)
    for (const name of ["native", "through"] as const)
      rates[name].push(await loadHttp(target, ports[name][0]));
  const figure = (name: keyof typeof ports): Figure => ({
    rate: median(rates[name]),
    p50: Number.NaN,
  });
  row("Bun.serve in the namespace", figure("native"));
  const ratio = figure("through").rate / figure("native").rate;
  row("serve from outside", figure("through"), {
    ratio,
    of: "Bun.serve's rate",
    goal: "at least 0.9",
  });
}

await using target = await createNamespace();
await using server = await startServer({ place: target });
await benchSockets(server.path);
await benchHttp(target, server.path);
mkdirSync(dirname(OUTPUT), { recursive: true });
await Bun.write(OUTPUT, JSON.stringify({ date: new Date(), rows }, null, 2));
console.log(`written to ${OUTPUT}`);
