import { afterEach, beforeAll, beforeEach, setDefaultTimeout } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { eventually } from "./wait.ts";

const SETTLE_MS = 10_000; // Bun closes pipes and sockets a little after their owners have ended
const TEST_MS = 180_000; // for one test: the waits within have shorter limits

/** The open descriptors of a process, this one by default, and the target of each, for example 5 → "socket:[4711]". */
export function descriptors(pid: number | "self" = "self"): Map<number, string> {
  const directory = `/proc/${pid}/fd`;
  const open = new Map<number, string>();
  for (const name of readdirSync(directory)) {
    try {
      open.set(Number(name), readlinkSync(`${directory}/${name}`));
    } catch {
      /* closed meanwhile, as the descriptor of readdir itself */
    }
  }
  return open;
}

/** The number of sockets that a process has open. Bun opens and closes other descriptors at any time. */
export function socketsOf(pid: number): number {
  return [...descriptors(pid).values()].filter((target) => target.startsWith("socket:")).length;
}

/** The descriptors that are open now and were not `before`. */
export function leaked(before: Map<number, string>): string[] {
  return [...descriptors()]
    .filter(([fd, target]) => before.get(fd) !== target)
    .map(([fd, target]) => `${fd} → ${target}`);
}

/**
 * Waits until no other descriptors are open than `before`. They are compared one by one: a number
 * that was closed meanwhile, by Bun itself for example, must not hide a leak.
 *
 * @throws {Error} naming the ones that stayed
 */
export async function expectNoLeak(
  before: Map<number, string>,
  settleMs = SETTLE_MS,
): Promise<void> {
  const settled = () => leaked(before).length === 0;
  await eventually("descriptors to close", settled, settleMs).catch(() => {
    throw new Error(`descriptors were left open: ${leaked(before).join(", ")}`);
  });
}

/**
 * Makes Bun open the descriptors that it keeps, so that they are not counted: event loop, process watcher, and
 * the standard streams, which Bun opens when a stream is piped.
 */
async function warmUp(): Promise<void> {
  void [process.stdout, process.stderr];
  await Bun.spawn(["true"], { stdout: "pipe", stderr: "pipe", stdin: "pipe" }).exited;
  await Bun.sleep(1);
}

/**
 * Counts the descriptors around each test of the file that calls this at its top level, and gives
 * its tests three minutes each: whole programs, one after the other, are slow on a busy machine.
 */
export function guardDescriptors(): void {
  setDefaultTimeout(TEST_MS);
  let before = new Map<number, string>();
  beforeAll(warmUp);
  beforeEach(() => {
    before = descriptors();
  });
  afterEach(() => expectNoLeak(before));
}
