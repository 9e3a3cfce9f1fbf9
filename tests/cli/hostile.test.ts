import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { xsocketSync } from "@xsocket/client";
import {
  expectSentence,
  HELD_TO_MODES,
  here,
  isContained,
  OWN_MOUNTS,
  START,
  tempDir,
  type TempDir,
  typed,
  XSOCKET,
} from "../harness/index.ts";
import { quietRun } from "./quiet.ts";

const RUN_HERE = await quietRun();
const [, ...RUN] = RUN_HERE;
const MARK = "HOSTILE";
const EVIL = `console.log("${MARK}"); process.exit(66);`;

/* Files that Bun reads when it is started in a directory with them. */
const FILES: Record<string, string> = {
  ".env": `XBIND=1\nXSOCKET=/hostile\nXSOCKET_LIBDIR=/hostile\nNO_COLOR=\nBUN_OPTIONS=--preload ./evil.ts\nMARK=${MARK}\n`,
  ".env.local": `MARK=${MARK}\n`,
  ".env.production": `MARK=${MARK}\n`,
  "bunfig.toml": `preload = ["./evil.ts"]\nlogLevel = "debug"\n[define]\n"process.env.XBIND" = "'${MARK}'"\n`,
  ".npmrc": "registry=http://127.0.0.1:1/\n",
  "tsconfig.json": `{ "compilerOptions": { "paths": { "*": ["./evil.ts"], "citty": ["./evil.ts"] } }, ${MARK}`,
  "package.json": `{ "imports": ${MARK}`,
  "evil.ts": EVIL,
  bun: `#!/bin/sh\necho ${MARK}\nexit 66\n`,
  "_worker.ts": EVIL,
  "lib.ts": EVIL,
  "node_modules/citty/package.json": '{ "name": "citty", "main": "index.js" }',
  "node_modules/citty/index.js": EVIL,
  "node_modules/consola/core.js": EVIL,
  "node_modules/@xsocket/protocol/index.ts": EVIL,
  "node_modules/@xsocket/xbind-native/index.ts": EVIL,
  "node_modules/.bin/bun": `#!/bin/sh\necho ${MARK}\nexit 66\n`,
};

function hostileDirectory(): TempDir {
  const dir = tempDir();
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(dir.join(name)), { recursive: true });
    writeFileSync(dir.join(name), text);
  }
  for (const name of ["bun", "node_modules/.bin/bun"]) chmodSync(dir.join(name), 0o755);
  return dir;
}

const COMMANDS: readonly (readonly string[])[] = [
  ["--version"],
  ["--help"],
  ["serve", "--help"],
  ["lib", "xbind"],
  [...RUN, "--", "env"],
];

test.each(COMMANDS.map((argv) => [argv.slice(0, 2).join(" "), argv] as const))(
  "nothing in the current directory changes %s",
  async (_name, argv) => {
    using dir = hostileDirectory();
    using harmless = tempDir();
    const env = {
      PATH: `.::node_modules/.bin:${process.env["PATH"] ?? ""}`,
      PWD: "/",
      OLDPWD: "/",
    };
    const start = [XSOCKET, ...argv];
    const there = await here.run(start, { cwd: dir.path, env });
    const elsewhere = await here.run(start, { cwd: harmless.path, env });
    expect(there).toEqual(elsewhere);
    expect(there.code).toBe(0);
    expect(there.stderr).toBe("");
    expect(there.stdout + there.stderr).not.toContain(MARK);
  },
);

test("serve ignores files in the current directory", async () => {
  using dir = hostileDirectory();
  await using server = here.spawn([XSOCKET, "serve", "control"], { cwd: dir.path });
  await server.says(/serving at/);
  using socket = xsocketSync({ via: dir.join("control") });
  expect(socket.fd).toBeGreaterThan(2);
  server.kill();
  expect(await server.finished()).toBe(0);
  expect(server.stdout + server.stderr).toBe(`xsocket: serving at ${dir.join("control")}\n`);
  expect(existsSync(dir.join("control"))).toBe(false);
});

test("does not run a program called bun in the current directory even if PATH lists it", async () => {
  using dir = hostileDirectory();
  const PATH = `.::${dirname(process.execPath)}:${process.env["PATH"]}`;
  const env = { PATH, XSOCKET_BUN: undefined, npm_execpath: undefined };
  const result = await here.run([START, "--version"], { cwd: dir.path, env });
  expect(result.stdout).not.toContain(MARK);
  expect(result.code).toBe(0);
});

test("skips a directory called bun in PATH and an empty XSOCKET_BUN", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("bun"));
  const PATH = `${dir.path}:${dirname(process.execPath)}:${process.env["PATH"]}`;
  const result = await here.run([START, "--version"], { env: { PATH, XSOCKET_BUN: "" } });
  expect(result).toMatchObject({ code: 0, stderr: "" });
});

test("uses the Bun that runs `bun x`, and no other file from npm_execpath", async () => {
  using dir = tempDir();
  symlinkSync(process.execPath, dir.join("bun"));
  const run = (name: string) =>
    here.run([START, "--version"], {
      env: { PATH: "/usr/bin:/bin", XSOCKET_BUN: undefined, npm_execpath: dir.join(name) },
    });
  expect(await run("bun")).toMatchObject({ code: 0, stderr: "" });
  expectSentence(await run("npm"), 1, `Bun ${Bun.version} was not found: `);
});

test("ignores Bun's options in the environment", async () => {
  using dir = hostileDirectory();
  const result = await here.run([XSOCKET, "doctor", "@nobody"], {
    env: {
      BUN_JSC_useJIT: "0",
      BUN_JSC_dumpOptions: "1",
      JSC_SIGNAL_FOR_GC: "0", // no signal at all
      BUN_INSPECT_PRELOAD: dir.join("evil.ts"),
    },
  });
  expect(result).toMatchObject({ code: 1, stderr: "" });
  expect(result.stdout).not.toContain(MARK);
});

test("leaves NODE_COMPILE_CACHE to the program", async () => {
  using dir = tempDir();
  const env = { NODE_COMPILE_CACHE: dir.join("cache") };
  const run = [XSOCKET, "run", "--port", "1", "--socket", "@nobody", "--"];
  const { stdout } = await here.run([...run, "printenv", "NODE_COMPILE_CACHE"], { env });
  expect(existsSync(dir.join("cache"))).toBe(false);
  expect(stdout).toBe(`${dir.join("cache")}\n`);
});

test("ignores files in parents of the current directory", async () => {
  using dir = hostileDirectory();
  const child = join(dir.path, "a/b");
  mkdirSync(child, { recursive: true });
  const { code, stdout, stderr } = await here.run([XSOCKET, "lib", "xbind"], { cwd: child });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^\/\S+\/libxbind\.so\n$/);
});

/* A sandbox that has a foreign /dev often mounts it with nodev. */
test.skipIf(isContained).each(["run --port 1 -- true", "lib xbind", "serve /nowhere/control"])(
  "%s reports that /dev/null cannot be opened",
  async (words) => {
    const script = `mount --bind /dev/null /dev/null && mount -o remount,bind,nodev /dev/null && exec ${typed(XSOCKET)} ${words}`;
    const says = "xsocket: cannot read /dev/null (Permission denied): ";
    expectSentence(await here.run([...OWN_MOUNTS, "sh", "-c", script]), 1, says);
  },
);

/* As is left by a command of root that writes to a file beside it and renames that. */
test.skipIf(isContained)("obeys no file in the place of /dev/null", async () => {
  using dir = tempDir();
  writeFileSync(dir.join("evil.ts"), EVIL);
  writeFileSync(dir.join("null"), JSON.stringify({ preload: [dir.join("evil.ts")] }));
  const script = `mount --bind null /dev/null && exec ${typed(XSOCKET)} lib xbind`;
  const result = await here.run([...OWN_MOUNTS, "sh", "-c", script], { cwd: dir.path });
  expectSentence(result, 1, /^xsocket: \/dev\/null is not a device: make it anew \(.*mknod/);
});

/* Becomes a program in a directory whose path is longer than 4096 bytes, with a copy of echo in it. */
const DEEP = `
import os, shutil, sys
for _ in range(21):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
shutil.copy("/bin/echo", "program")
os.execvp(sys.argv[1], sys.argv[1:])
`;

test("works in a current directory that is deeper than a path can be long", async () => {
  using dir = tempDir();
  const deep = async (...argv: string[]) => {
    const result = await here.run(["python3", "-c", DEEP, ...argv], { cwd: dir.path });
    await here.run(["rm", "-r", "d".repeat(200)], { cwd: dir.path }); // too deep for rmSync()
    return result;
  };
  expect(await deep(XSOCKET, "--version")).toMatchObject({ code: 0, stderr: "" });
  const found = await deep(...RUN_HERE, "--", "./program", "found");
  expect(found).toEqual({ code: 0, stdout: "found\n", stderr: "" });
  expectSentence(
    await deep(XSOCKET, "serve", "control"),
    2,
    /^xsocket: "control" [^\n]+ has too long a path: give an absolute path\n$/,
  );
});

test("works in a current directory that is removed or may not be entered", async () => {
  using dir = tempDir();
  const script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"';
  const start = (...argv: string[]) => ["sh", "-c", script, "sh", XSOCKET, ...argv];
  const gone = await here.run(start("lib", "xbind"), { cwd: dir.path });
  expect(gone).toMatchObject({ code: 0, stderr: "" });
  const below = await here.run(start("serve", "control"), { cwd: dir.path });
  expect(below.stderr).toMatch(
    /^xsocket: "control" [^\n]+ was removed [^\n]+: give an absolute path\n$/,
  );

  const closed = 'mkdir closed && cd closed && chmod 0 . && exec "$@"';
  const barred = await here.run(
    ["sh", "-c", closed, "sh", ...HELD_TO_MODES, XSOCKET, "--version"],
    {
      cwd: dir.path,
    },
  );
  expect(barred).toMatchObject({ code: 0, stderr: "" });
  const again = (...words: string[]) => [
    "sh",
    "-c",
    closed.replace("mkdir", "chmod 700"),
    "sh",
    ...HELD_TO_MODES,
    XSOCKET,
    "serve",
    ...words,
  ];
  const named = await here.run(again("control"), { cwd: dir.path });
  await using server = here.spawn(again(dir.join("control")), { cwd: dir.path });
  await server.says(/serving at/);
  chmodSync(dir.join("closed"), 0o700); // another user than root could not remove it
  expect(named.code).toBe(2);
  expect(named.stderr).toContain("give an absolute path");
});
