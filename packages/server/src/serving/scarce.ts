import { errno, errnoName } from "@xsocket/xbind-native";
import { REMEDIES } from "../_failure.ts";

const SCARCITY = new Set([
  errno.EMFILE,
  errno.ENFILE,
  errno.ENOMEM,
  errno.ENOBUFS,
  errno.ETOOMANYREFS, // of the kernel: it counts a user's descriptors in flight, of whatever process
]);

/** Whether a failure is want of descriptors or memory, and so nobody's fault who asks. */
export function isScarcity(error: number): boolean {
  return SCARCITY.has(error);
}

/** Writes a failure that may pass, with what helps where that is known. */
export function forNow(attempt: string, error: number): string {
  const code = errnoName(error);
  const remedy = REMEDIES[code];
  return `cannot ${attempt} for now: ${code}${remedy === undefined ? "" : `. ${remedy}`}`;
}
