import { writeFileSync } from "node:fs";
import { wrongBun } from "@xsocket/xbind-native";
import { userPath } from "./directory.ts";
import { FailureError } from "./errors.ts";

/**
 * Refuses a Bun that this command was not made for.
 *
 * @throws {FailureError}
 */
export function checkRuntime(version?: string, wanted?: string): void {
  const wrong = wrongBun(version, wanted);
  if (wrong !== undefined) throw new FailureError(`${wrong}, or name it in XSOCKET_BUN`);
}

/** Makes the libraries' directory absolute: it was named where the command was started, not here. */
export function settleLibraryDirectory(env: NodeJS.ProcessEnv): void {
  const named = env["XSOCKET_LIBDIR"];
  if (named) env["XSOCKET_LIBDIR"] = userPath(named);
}

/** Gives this process the command's name, by which ps(1), pgrep(1) and the logs of servers know it. */
export function nameProcess(): void {
  try {
    writeFileSync("/proc/self/comm", "xsocket");
  } catch {
    // where /proc is not there, or not to be written, it keeps Bun's
  }
}
