import { expect, test } from "bun:test";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../../tests/harness/index.ts";

test("a bundle loads no library from a directory above its own, but from XSOCKET_LIBDIR", async () => {
  using dir = tempDir();
  const planted = dir.join("build/release/packages/xbind-native");
  mkdirSync(planted, { recursive: true });
  await Bun.write(join(planted, "libxsocket.so"), "planted");
  const program = `
    import { libraryPath } from ${JSON.stringify(join(import.meta.dir, "libraries.ts"))};
    console.log(libraryPath("xsocket"));`;
  await Bun.write(dir.join("program.ts"), program);
  const outdir = dir.join("some/where/below");
  // not by Bun.build(), whose thread keeps its descriptors
  const build = ["build", "--target=bun", `--outdir=${outdir}`, dir.join("program.ts")];
  Bun.spawnSync([process.execPath, ...build]);
  const run = async (env: Record<string, string>): Promise<string> => {
    const argv = [process.execPath, join(outdir, "program.js")];
    const bundle = Bun.spawn(argv, { env, stdout: "pipe", stderr: "pipe" });
    return (await bundle.stdout.text()) + (await bundle.stderr.text());
  };
  const remedy = /LibraryNotFoundError: .*dev build.*@xsocket\/native-linux.* in XSOCKET_LIBDIR\n/;
  expect(await run({})).toMatch(remedy);
  expect(await run({ XSOCKET_LIBDIR: planted })).toBe(`${join(planted, "libxsocket.so")}\n`);
});

test("an executable loads no library from the directory in which it is started", async () => {
  using dir = tempDir();
  for (const libc of ["linux", "linuxmusl"]) {
    const planted = dir.join(`node_modules/@xsocket/native-${libc}-${process.arch}`);
    mkdirSync(planted, { recursive: true });
    writeFileSync(join(planted, "package.json"), "{}");
    writeFileSync(join(planted, "libxsocket.so"), "planted");
  }
  const program = `
    import { libraryPath } from ${JSON.stringify(join(import.meta.dir, "libraries.ts"))};
    console.log(libraryPath("xsocket"));`;
  await Bun.write(dir.join("program.ts"), program);
  // not by Bun.build(), whose thread keeps its descriptors
  const flags = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"]; // as docs/sdk.md says
  const build = [
    "build",
    "--compile",
    `--outfile=${dir.join("program")}`,
    ...flags,
    dir.join("program.ts"),
  ];
  Bun.spawnSync([process.execPath, ...build]);
  writeFileSync(dir.join(".env"), `XSOCKET_LIBDIR=${dir.join("node_modules")}`);
  writeFileSync(dir.join("bunfig.toml"), 'preload = ["./missing.ts"]');
  const { stdout, stderr } = Bun.spawnSync([dir.join("program")], { cwd: dir.path, env: {} });
  expect(stdout.toString()).toBe("");
  expect(stderr.toString()).toContain("libxsocket.so was not found in /$bunfs/root: build it in");
});

test("a Bun of another version is refused with a message of our own, not by bun:ffi", async () => {
  using dir = tempDir();
  cpSync(import.meta.dir, dir.join("src"), { recursive: true });
  await Bun.write(dir.join("package.json"), '{ "engines": { "bun": "9.8.7" } }');
  const program = `import { loadSyscalls } from "./src/syscalls.ts"; loadSyscalls();`;
  const { stderr } = Bun.spawnSync([process.execPath, "-e", program], { cwd: dir.path });
  const sentence = `InstallationError: this is Bun ${Bun.version} and xsocket is made for 9.8.7: install that\n`;
  expect(stderr.toString()).toContain(sentence);
});

test("an unusable library is an uncaught error with a message, but no source lines", async () => {
  using dir = tempDir();
  const program = `import { loadSyscalls } from ${JSON.stringify(join(import.meta.dir, "index.ts"))}; loadSyscalls();`;
  const env = { XSOCKET_LIBDIR: dir.path };
  const said = () => Bun.spawnSync([process.execPath, "-e", program], { env }).stderr.toString();
  const noLines = "at xsocket (@xsocket/xbind-native:1:1)";
  expect(said()).toMatch(/^LibraryNotFoundError: libxsocket.so was not found in [^\n]*\n +at /);
  expect(said()).toContain(` in ${dir.path}: correct XSOCKET_LIBDIR, or leave it out\n`);
  expect(said().match(/at .*:\d+:\d+\)?$/gm)).toEqual([noLines]);
  writeFileSync(dir.join("libxsocket.so"), "");
  expect(said()).toMatch(/^InstallationError: [^\n]* cannot be loaded [^\n]*\n +at /);
  expect(said().match(/at .*:\d+:\d+\)?$/gm)).toEqual([noLines]);
});
