/*
 * Compiles the command for the source tree into build/tree, beside links to the libraries, unless that
 * was done of these very sources (packages/cli/src/tree.ts). Where they cannot be compiled the command
 * runs from them, and says why.
 */
import { $ } from "bun";
import { readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { isCurrent, writeStamp } from "../packages/cli/src/stamp.ts";

const ROOT = join(import.meta.dir, "..");
const COMPILED = join(ROOT, "build/tree");
const LIBRARIES = "../release/packages/xbind-native";

/* What it is made with: these say which Bun, which dependencies, and how. */
const MEANS = ["bun.lock", "package.json", "scripts/bundle.sh", "scripts/tree.ts", "tsconfig.json"];

/* A bundle names each file in it. */
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
  // one that was changed meanwhile may be in it as it was before
  if (sources.some((file) => statSync(join(ROOT, file)).mtimeMs >= begun)) return;
  writeStamp(directory, ROOT, sources);
  renameSync(directory, COMPILED);
}

if (!isCurrent(COMPILED, ROOT)) await compile();
