/* Checkouts in which ./dev is tried, without our sources. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type TempDir } from "../harness/index.ts";

/** Makes a checkout with nothing but ./dev. */
export function checkout(dir: TempDir): string {
  const root = dir.join("checkout");
  mkdirSync(root);
  for (const file of ["dev", "package.json"]) copyFileSync(join(ROOT, file), join(root, file));
  chmodSync(join(root, "dev"), 0o755);
  return root;
}

/** A Bun that only makes these directories, whatever it is to install or build. */
export const BUILDER = `#!/bin/sh
[ "$1" != --version ] || exec echo ${Bun.version}
mkdir -p node_modules/made build/release/packages/lib/xsocket
`;

/** Makes an environment with such a Bun, which runs these commands first. */
export function builder(dir: TempDir, first = ""): Record<string, string> {
  mkdirSync(dir.join("bin"));
  const bun = BUILDER.replace("\nmkdir", `\n${first}\nmkdir`);
  writeFileSync(dir.join("bin/bun"), bun, { mode: 0o755 });
  return { PATH: `${dir.join("bin")}:${process.env["PATH"]}`, XDG_CACHE_HOME: dir.path };
}

/** What ./dev says before it builds. */
export const BUILDING = "dev: building the native libraries\n";
