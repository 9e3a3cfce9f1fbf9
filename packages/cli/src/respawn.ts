import { readFileSync } from "node:fs";
import { CWD_FD, type Identity, type Successor } from "@xsocket/server";
import { libraryPath, tried } from "@xsocket/xbind-native";
import { userDirectory } from "./directory.ts";

/** The descriptor to say that there is no channel for a plan. */
const NO_PLAN = "-1";

/** What the launcher gives Bun as its configuration. */
const CONFIG = "/dev/null";

/**
 * This command again, as another user, as the launcher would start it (main.ts): the same Bun with the
 * same flags, and the directory it was started in under the number where the server puts it.
 */
export function successorAs(user: Identity): Successor {
  const own = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
  const words = process.argv.slice(2); // all that follows the script
  const start = [process.execPath, ...own.slice(1, own.length - words.length)];
  const argv = [...start, String(CWD_FD), NO_PLAN, ...words.slice(2)];
  const files = [...start.filter((word) => word.startsWith("/")), CONFIG, libraryPath("xsocket")];
  return { user, argv, files, directory: tried(() => userDirectory(".")) ?? "/" };
}
