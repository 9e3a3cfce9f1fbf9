import { writeFileSync } from "node:fs";
import { userDirectory } from "./directory.ts";

/** Makes the libraries' directory absolute: it is relative to where the command was started, not to /. */
export function settleLibraryDirectory(env: NodeJS.ProcessEnv): void {
  const named = env["XSOCKET_LIBDIR"];
  if (named) env["XSOCKET_LIBDIR"] = userDirectory(named);
}

/** Gives this process the command's name, by which ps(1), pgrep(1) and the logs of servers know it. */
export function nameProcess(): void {
  try {
    writeFileSync("/proc/self/comm", "xsocket");
  } catch {
    // without a /proc to write to, it keeps Bun's name
  }
}
