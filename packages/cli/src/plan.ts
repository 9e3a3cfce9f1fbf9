import { writeSync } from "node:fs";
import { loadSyscalls, checked } from "@xsocket/xbind-native";
import { FailureError } from "./errors.ts";

/* The room that the launcher has for a plan, its PLAN_BYTES; what is longer would be cut. */
const BYTES_MAX = 192 * 1024;

/** What the launcher is to become (launch/plan.h says how it is written). */
interface Plan {
  /** Where the program stands among the command's arguments. */
  readonly programIndex: number;
  /** The variables to set; all others stay as they are. */
  readonly set: Readonly<Record<string, string>>;
  /** A socket to hand on as descriptor 3; it stays the caller's. */
  readonly socketFd?: number;
}

/**
 * Tells the launcher what to become once this process has ended.
 *
 * @throws {FailureError} if the plan is too long
 */
export function sendPlan(planFd: number, { programIndex, set, socketFd }: Plan): void {
  const strings = [String(programIndex), ...Object.entries(set).map(([k, v]) => `${k}=${v}`)];
  const bytes = Buffer.from(strings.map((string) => `${string}\0`).join(""));
  if (bytes.byteLength > BYTES_MAX)
    throw new FailureError(
      `the variables for the program take ${bytes.byteLength} bytes and there is room for ${BYTES_MAX}: write ports as ranges, or shorten LD_PRELOAD`,
    );
  if (socketFd === undefined) writeSync(planFd, bytes);
  else
    checked("send the plan", loadSyscalls().sendPacket(planFd, bytes, bytes.byteLength, socketFd));
}
