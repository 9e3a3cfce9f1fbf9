import { realpathSync } from "node:fs";
import { libraryPath, loadSyscalls, reasonOf } from "@xsocket/xbind-native";
import { readElf } from "../elf.ts";
import { FailureError } from "../errors.ts";
import { preloadWith } from "../preload.ts";
import { preloadObstacle, REINSTALL, unusable } from "../preloadable.ts";
import { findProgram, spoken, startedBy } from "../program.ts";
import { failed, ok, type Row, skipped } from "./row.ts";

/* A program that is linked dynamically everywhere, to compare the library with. */
const ORDINARY = "/proc/self/exe";

/* The remedy is behind the last colon: others may be a path's. */
function sentence(name: string, error: unknown): Row {
  const [found = "", remedy = ""] = reasonOf(error).split(/: (?!.*: )/s);
  return failed(name, found, remedy);
}

/*
 * What LD_PRELOAD=libxbind.so, as in a unit, would load, if that is not ours: nothing where it is not known, as with musl,
 * whose loader lists no preloaded library.
 */
function byName(ours: string): string {
  try {
    const loader = readElf(ORDINARY)?.interpreter ?? "";
    const env = { ...process.env, LD_PRELOAD: "libxbind.so" };
    const { stdout } = Bun.spawnSync([loader, "--list", process.execPath], { env, timeout: 1000 });
    const list = stdout.toString();
    if (!list.includes("libc.so.6 => ")) return "";
    const [, path] = /libxbind\.so => (.*) \(0x/.exec(list) ?? [];
    const found = path && realpathSync(path);
    if (found === ours) return "";
    return `; LD_PRELOAD=libxbind.so finds ${found ? `${found} instead` : "none, so give the path there"}`;
  } catch {
    return ""; // no process can be started here
  }
}

/** Are both libraries there, for this architecture and C library, at a place that can be preloaded? */
export function librariesRow(): Row {
  try {
    const [xsocket, xbind] = [libraryPath("xsocket"), libraryPath("xbind")];
    preloadWith("");
    const program = { name: ORDINARY, path: ORDINARY, image: ORDINARY };
    for (const path of [xsocket, xbind]) {
      const obstacle = preloadObstacle(program, path);
      if (obstacle)
        return failed(
          "libraries",
          `this command cannot use ${path}: ${obstacle.found}`,
          unusable(path)?.remedy ?? REINSTALL,
        );
    }
    loadSyscalls();
    return ok("libraries", `${xsocket} and ${xbind}${byName(xbind)}`);
  } catch (error) {
    return sentence("libraries", error);
  }
}

/** Can the program be preloaded, if the library can be used at all? */
export function programRow(name: string, words: readonly string[], libraries: Row): Row {
  if (libraries.status !== "ok") return skipped("program", "needs the libraries");
  try {
    const program = findProgram(name);
    if (!program)
      return skipped("program", `${name} is not UTF-8 in full, so it cannot be looked at`);
    const obstacle = preloadObstacle(program, libraryPath("xbind"), words);
    if (obstacle)
      return failed("program", `${spoken(program)}: ${obstacle.found}`, obstacle.remedy);
    const [inner, ...its] = startedBy([name, ...words]);
    if (inner !== undefined) return programRow(inner, its, libraries);
    const { path, image } = program;
    return ok(
      "program",
      image === path
        ? `${path} can be preloaded`
        : `${path} is a script, and its interpreter ${image} can be preloaded; so can what it starts, unless that is static, set-user-ID, or of Go or Free Pascal`,
    );
  } catch (error) {
    if (error instanceof FailureError) return sentence("program", error);
    throw error;
  }
}
