import { errnoName } from "@xsocket/xbind-native";
import { REMEDIES } from "../_failure.ts";

const SCARCITY = new Set([
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ENOBUFS",
  "ETOOMANYREFS", // of the kernel: it counts a user's descriptors in flight, of whatever process
]);

/** Whether a failure, as "EMFILE", is want of descriptors or memory, and so no fault of the client. */
export function isScarcity(code: string): boolean {
  return SCARCITY.has(code);
}

/** The words for a failure that may pass, with a remedy if one is known. */
export function forNow(attempt: string, error: number): string {
  const code = errnoName(error);
  const remedy = REMEDIES[code];
  return `cannot ${attempt} for now: ${code}${remedy === undefined ? "" : `. ${remedy}`}`;
}
