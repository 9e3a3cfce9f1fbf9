/* The command in the source tree: a compiled bundle, or the sources once one of them has changed. */
import { expect, test } from "bun:test";
import {
  appendFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { here, ROOT, tempDir } from "../harness/index.ts";

/* Runs the command as the launcher does, but keeps Bun's variables. */
async function run(root: string, env: Record<string, string>, ...words: readonly string[]) {
  const argv = [process.execPath, join(root, "packages/cli/src/tree.ts"), "-1", "-1", ...words];
  const { stdout, stderr } = await here.run(argv, { env });
  return stdout + stderr;
}

/* The files that the bundle depends on besides its sources. */
const MEANS = ["bun.lock", "package.json", "scripts/bundle.sh", "scripts/tree.ts", "tsconfig.json"];

test("runs the bundle until a file that it was made of changes", async () => {
  using dir = tempDir();
  const copy = ["cp", "-a", "--parents", "packages", "build/tree", ...MEANS, dir.path];
  await here.run(copy, { cwd: ROOT });
  symlinkSync(join(ROOT, "node_modules"), dir.join("node_modules"));
  writeFileSync(dir.join("build/tree/main.js"), 'console.log("compiled")'); // not part of the stamp
  expect(await run(dir.path, {}, "--version")).toBe("compiled\n");
  for (const file of [...MEANS, "packages/server/src/_worker.ts"]) {
    renameSync(dir.join(file), dir.join("gone"));
    expect(await run(dir.path, {}, "--version")).not.toBe("compiled\n");
    renameSync(dir.join("gone"), dir.join(file));
  }
  appendFileSync(dir.join("packages/cli/src/main.ts"), '\nconsole.log("edited");\n');
  expect(await run(dir.path, {}, "--version")).toContain("edited\n");
});

test("runs from compiled bytecode and finds the library beside it", async () => {
  const said = await run(ROOT, { BUN_JSC_verboseDiskCache: "1" }, "lib", "xbind");
  expect(said).toContain("Cache hit");
  expect(said).toContain(`${join(ROOT, "build/release/packages/xbind-native/libxbind.so")}\n`);
});

/* Parsed by Node as by a Bun that does not know `using`: the first lines must be plain enough. */
test("reports an older Bun and the version that is needed", async () => {
  const script = `
    globalThis.Bun = { version: "1.3.11" };
    const [path] = process.argv.slice(1);
    require("vm").runInThisContext(require("fs").readFileSync(path, "utf8"));
  `;
  const said = await here.run(["node", "-e", script, join(ROOT, "build/tree/main.js")]);
  expect(said).toEqual({
    code: 1,
    stdout: "",
    stderr: `xsocket: this is Bun 1.3.11 and xsocket is made for ${Bun.version}: install that, or name it in XSOCKET_BUN\n`,
  });
});

test("the build's link to the command is relative, for a tree mounted elsewhere", () => {
  const link = join(ROOT, "build/release/packages/lib/xsocket/main.js");
  expect(isAbsolute(readlinkSync(link))).toBe(false);
  expect(realpathSync(link)).toBe(realpathSync(join(ROOT, "packages/cli/src/tree.ts")));
});
