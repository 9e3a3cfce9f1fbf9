import { eventually, type Namespace, type Running } from "../harness/index.ts";
import type { Program } from "./program.ts";
import type { Workplace } from "./workplace.ts";

const START_MS = 20_000; // a JVM or a database beside other builds
const CLIENT_MS = 10_000; // one try of a client
const ANSWER_MS = 20_000; // all tries: some listen before they can answer
const LOG_MS = 5000; // until a log that is buffered shows the peer

/** A running program, its namespace, that of its clients, and the address that they connect to. */
export interface Started {
  readonly program: Program;
  readonly inside: Namespace;
  readonly from: Namespace;
  readonly host: string;
  readonly work: Workplace;
  readonly running: Running;
}

/* Waits until the port is open in one of the places, and fails once the program has ended. */
async function opens(started: Started, port: number, places = [started.from]): Promise<void> {
  const { program, running } = started;
  const { kind = "tcp" } = program;
  const isOpen = () => places.some((place) => place.listens(kind, port));
  await eventually(`${kind} port ${port} to open`, () => running.hasEnded || isOpen(), START_MS);
  if (!isOpen()) throw new Error(`it ended with ${await running.exited}`);
}

/* Runs the client once. */
function ask({ program, from, work }: Started, port: number) {
  const env = work.env({ PORT: String(port) });
  return from.run(["sh", "-c", program.client], { cwd: work.cwd, env, withinMs: CLIENT_MS });
}

/* Runs the client until it prints what it must. */
async function answers(started: Started, port: number): Promise<void> {
  let said = "";
  const look = async () => {
    const { stdout, stderr } = await ask(started, port);
    said = stdout + stderr;
    return started.program.expect.test(stdout);
  };
  await eventually("an answer", look, ANSWER_MS).catch((error: unknown) => {
    throw new Error(`the client says ${JSON.stringify(said)}`, { cause: error });
  });
}

/* Waits until the log names the client's address. */
async function logsPeer({ program, host, work, running }: Started): Promise<void> {
  const { logsPeerTo } = program;
  if (logsPeerTo === undefined) return;
  const log = () =>
    logsPeerTo === "output" ? running.stdout + running.stderr : work.read(logsPeerTo);
  await eventually("the peer's address in its log", () => log().includes(host), LOG_MS);
}

/* With new configuration it opens a second port, which must work like the first. */
async function reloads(started: Started): Promise<void> {
  const { reload } = started.program;
  if (reload === undefined) return;
  if (reload.after) await started.running.says(reload.after);
  started.work.write(reload.files);
  started.running.kill(reload.signal);
  await opens(started, reload.port);
  await answers(started, reload.port);
}

/** The ports that must be found in one namespace only. */
export function portsOf({ port, reload }: Program): number[] {
  return [port, ...(reload ? [reload.port] : [])];
}

/**
 * None of the program's ports may be open there.
 *
 * @throws {Error} which port is
 */
export function expectClosed(program: Program, place: Namespace, how: string): void {
  for (const port of portsOf(program))
    if (place.listens(program.kind ?? "tcp", port)) throw new Error(`port ${port} ${how}`);
}

/**
 * It answers, its log names the client, and its ports are open only where clients come from.
 *
 * @throws {Error} what does not hold
 */
export async function expectWorking(started: Started): Promise<void> {
  await opens(started, started.program.port);
  await answers(started, started.program.port);
  await reloads(started);
  await logsPeer(started);
  if (started.from !== started.inside)
    expectClosed(started.program, started.inside, "is open inside, too");
}

/**
 * It ends, or runs but the client from outside does not get its answer.
 *
 * @throws {Error} when it answers
 */
export async function expectImpossible(started: Started): Promise<void> {
  const { program, from, inside } = started;
  const open = opens(started, program.port, [from, inside]);
  await open.catch(() => {}); // then it has ended; the run without the library has shown that it starts
  const { stdout } = await ask(started, program.port);
  if (program.expect.test(stdout)) throw new Error("it works, which the table calls impossible");
}
