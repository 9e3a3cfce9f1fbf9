/*
 * Compiles the command for the source tree into build/tree, beside links to the libraries, unless it is
 * there and made of these very sources (packages/cli/src/tree.ts). If they cannot be compiled, the command
 * runs from the sources and says why.
 */
import { $ } from "bun";
import { readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { isCurrent, writeStamp } from "../packages/cli/src/stamp.ts";

const ROOT = join(import.meta.dir, "..");
const COMPILED = join(ROOT, "build/tree");
const LIBRARIES = "../release/packages/xbind-native";

/* What else the result depends on: the versions of Bun and dependencies, and how it is made. */
const MEANS = ["bun.lock", "package.json", "scripts/bundle.sh", "scripts/tree.ts", "tsconfig.json"];

/* The sources of a bundle, whose comments name each file in it. */
function sourcesOf(directory: string): string[] {
  const text = ["main.js", "compiled.js", "_worker.ts"].map((file) =>
    readFileSync(join(directory, file), "utf8"),
  );
  const files = text.join("\n").matchAll(/^\s*\/\/ ((?:packages|node_modules)\/.*)$/gm);
  return [...new Set(Array.from(files, ([, file = ""]) => file))];
}

async function compile(): Promise<void> {
  const begun = Date.now();
  const directory = `${COMPILED}.new`;
  const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`;
  const made = await $`sh scripts/bundle.sh ${directory}`
    .cwd(ROOT)
    .env({ ...process.env, PATH })
    .nothrow()
    .quiet();
  rmSync(COMPILED, { recursive: true, force: true });
  if (made.exitCode !== 0) return;
  for (const library of ["libxsocket.so", "libxbind.so"])
    symlinkSync(join(LIBRARIES, library), join(directory, library));
  const sources = [...sourcesOf(directory), ...MEANS];
  // a source that was changed meanwhile may be in the bundle as it was before
  if (sources.some((file) => statSync(join(ROOT, file)).mtimeMs >= begun)) return;
  writeStamp(directory, ROOT, sources);
  renameSync(directory, COMPILED);
}

if (!isCurrent(COMPILED, ROOT)) await compile();
