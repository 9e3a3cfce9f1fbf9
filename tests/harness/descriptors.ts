import { readdirSync, readlinkSync } from "node:fs";
import { eventually } from "./wait.ts";

const SETTLE_MS = 10_000; // Bun closes pipes and sockets a little after their owners have ended

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
export async function expectNoLeak(before: Map<number, string>): Promise<void> {
  const settled = () => leaked(before).length === 0;
  await eventually("descriptors to close", settled, SETTLE_MS).catch(() => {
    throw new Error(`descriptors were left open: ${leaked(before).join(", ")}`);
  });
}
