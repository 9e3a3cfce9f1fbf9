/*
 * ./dev bench sdk: what the SDK costs, measured in one run, in short turns
 *
 *   sockets  the C library's xsocket() in a loop (a C program), xsocketSync, xsocket and Session
 *   http     Bun.serve in the target namespace itself, and serve() from outside through a server
 *
 * Each figure is the median of the rounds, and each ratio the median of the rounds' own ratios: a
 * machine that is shared changes its pace from second to second, but what is compared ran within one.
 * Both web servers are asked from the target namespace, over its loopback. The same is written as JSON.
 */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Session, xsocket, xsocketSync } from "@xsocket/client";
import { libraryPath } from "@xsocket/xbind-native";
import { Bench } from "tinybench";
import {
  createNamespace,
  here,
  type Namespace,
  startServer,
} from "../../../tests/harness/index.ts";

const ROUNDS = 15;
const SECONDS = 0.25; // of each measurement
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

/* The figures of one kind, one for each round. */
type Figures = readonly Figure[];

function middle(figures: Figures): Figure {
  return {
    rate: median(figures.map(({ rate }) => rate)),
    p50: median(figures.map(({ p50 }) => p50)),
  };
}

/* What one kind is of another, by rate or by time, within each round. */
function ratioOf(figures: Figures, others: Figures, by: keyof Figure): number {
  return median(figures.map((figure, i) => figure[by] / (others[i]?.[by] ?? Number.NaN)));
}

/* Runs each kind in turn, forwards and backwards, so that none is always the one after another. */
async function inTurns<Kind extends string>(
  kinds: Readonly<Record<Kind, () => Promise<Figure>>>,
): Promise<Record<Kind, Figure[]>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a record of Kind
  const names = Object.keys(kinds) as Kind[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as Figure[]]));
  for (let round = 0; round < ROUNDS; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed())
      figures[name]?.push(await kinds[name]());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return figures as Record<Kind, Figure[]>;
}

async function runC(via: string): Promise<Figure> {
  const program = Bun.spawn([LOAD, via, "call", "1", String(SECONDS)]);
  const told: { perSecond: number; p50: number } = JSON.parse(
    await new Response(program.stdout).text(),
  );
  return { rate: told.perSecond, p50: told.p50 };
}

/* Calls by time, as the C program counts; the mean of each call's own rate would forget the slow ones. */
async function measure(call: () => unknown, calls = 1): Promise<Figure> {
  const bench = new Bench({ time: SECONDS * 1000, warmup: false, throws: true });
  const [task] = await bench.add("call", call).run();
  if (task?.result.state !== "completed") throw new Error("the calls were not measured");
  const { latency, totalTime } = task.result;
  return { rate: (calls * latency.samplesCount * 1000) / totalTime, p50: latency.p50 * 1000 };
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
export interface Row extends Partial<Ratio> {
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
  const { c, sync, async, kept, overlap } = await inTurns({
    c: () => runC(via),
    kept: () => measure(async () => (await session.socket()).close()),
    overlap: () => measure(() => overlapping(session), OVERLAP),
    sync: () => measure(() => xsocketSync({ via }).close()),
    async: () => measure(async () => (await xsocket({ via })).close()),
  });
  const ofC = (figures: Figures): Ratio => ({ ratio: ratioOf(figures, c, "rate"), of: "C's rate" });
  row("xsocket() in C", middle(c));
  row("xsocketSync", middle(sync), { ...ofC(sync), goal: "at least 0.83" });
  row("xsocket", middle(async), {
    ratio: ratioOf(async, sync, "p50"),
    of: "xsocketSync's p50",
    goal: "at most 3",
  });
  row("Session.socket, one at a time", middle(kept), { ...ofC(kept), goal: "at least 1.5" });
  const all = { ...middle(overlap), p50: Number.NaN };
  row(`Session.socket, ${OVERLAP} at once`, all, ofC(overlap));
}

async function loadHttp(target: Namespace, port: string): Promise<Figure> {
  const load = [process.execPath, join(import.meta.dir, "_load.ts"), port, String(SECONDS * 2)];
  const { stdout, stderr } = await target.run(load);
  if (!stdout) throw new Error(`the load generator failed: ${stderr}`);
  return { rate: Number(stdout), p50: Number.NaN };
}

async function benchHttp(target: Namespace, via: string): Promise<void> {
  const script = join(import.meta.dir, "_serve.ts");
  await using ours = here.spawn([process.execPath, script, via]);
  await using buns = target.spawn([process.execPath, script]);
  const ports = { ours: await ours.says(/\d+/), buns: await buns.says(/\d+/) };
  const { native, through } = await inTurns({
    native: () => loadHttp(target, ports.buns[0]),
    through: () => loadHttp(target, ports.ours[0]),
  });
  row("Bun.serve in the namespace", middle(native));
  const ratio = ratioOf(through, native, "rate");
  const promise = { ratio, of: "Bun.serve's rate", goal: "at least 0.9" };
  row("serve from outside", middle(through), promise);
}

await using target = await createNamespace();
await using server = await startServer({ place: target });
await benchSockets(server.path);
await benchHttp(target, server.path);
mkdirSync(dirname(OUTPUT), { recursive: true });
await Bun.write(OUTPUT, JSON.stringify({ rows }, null, 2));
console.log(`written to ${OUTPUT}`);
