import { expect, test } from "bun:test";
import { appendFileSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errno, libraryPath, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import {
  changedEnv,
  eventually,
  here,
  type TempDir,
  tempDir,
} from "../../../../tests/harness/index.ts";
import { crowdUntil, RawClient } from "../../../../tests/server/raw.ts";
import { DIES } from "../../test/failing-worker.ts";
import { askAgain, FAILING_TEXT, failingPool, programFile, request } from "../../test/pool.ts";
import { THREAD } from "../memory/memory.ts";
import { Program } from "./program.ts";

const sys = loadSyscalls();
const FILE = new URL(import.meta.url);

/* Calls expectSame() while no descriptor is left. */
const STARVED = `
  import { openSync } from "node:fs";
  import { Program } from ${JSON.stringify(join(import.meta.dir, "program.ts"))};
  const program = new Program(new URL(${JSON.stringify(import.meta.url)}));
  try {
    for (;;) openSync("/dev/null");
  } catch {}
  try {
    program.expectSame();
  } catch (error) {
    console.log(error.name, error.message);
  }`;

test.each([
  ["gone", (library: string) => rmSync(library)],
  ["another one", (library: string) => appendFileSync(library, "of another version")],
])("refuses the program once its library is %s", (_what, change) => {
  using dir = tempDir();
  const library = dir.join("libxsocket.so");
  copyFileSync(libraryPath("xsocket"), library);
  using _ = changedEnv({ XSOCKET_LIBDIR: dir.path });
  const program = new Program(FILE);
  program.expectSame();
  change(library);
  expect(() => program.expectSame()).toThrow(
    `${library} has changed since this server started. Restart the server`,
  );
});

test("reports a lack of descriptors and not a changed program", async () => {
  const argv = ["prlimit", "--nofile=128:128", process.execPath, "-e", STARVED];
  expect((await here.run(argv)).stdout).toBe(
    `ServeError cannot read ${import.meta.path}: EMFILE. Raise the limit of open files (ulimit -n, LimitNOFILE=)\n`,
  );
});

/** Calls the threads, waits for the answer of one, and returns whether all have answered. */
async function answersAfter(
  { shared, areAnswering }: Awaited<ReturnType<typeof failingPool>>,
  index: number,
): Promise<boolean> {
  const before = shared.thread(index, THREAD.beat);
  areAnswering();
  await eventually("a thread to answer", () => shared.thread(index, THREAD.beat) !== before);
  return areAnswering();
}

test("starts no thread from a program file that has changed", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
  await using pool = await failingPool(2, undefined, sys, url);
  appendFileSync(file, "// of another version\n");
  await crowdUntil(pool.path, () => pool.records.length > 0);
  const sentence = `cannot be started yet and is tried again: ${file} has changed since this server started. Restart`;
  expect(pool.records[0]?.message).toContain(`serving thread 1 ${sentence}`);
  expect(pool.shared.serving()).toBe(1);
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  await pool.lost;
  expect(pool.records[2]?.message).toContain(`thread 0 ${sentence.replace(/ yet .*: /, ": ")}`);
});

test("is lost when the accepting thread cannot be replaced", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
  await using pool = await failingPool(2, undefined, sys, url);
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
  appendFileSync(file, "// of another version\n");
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  await pool.lost;
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringContaining("serving thread 0 died"),
    expect.stringContaining("serving thread 0 cannot be started: "),
  ]);
  expect(pool.shared.serving()).toBe(1);
  expect(await answersAfter(pool, 1)).toBe(false); // only the other thread answers
});

test("is lost when the program changes while a replacement is retried", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
  let isFull = false;
  const epollWait: Syscalls["epollWait"] = (...args) =>
    isFull ? -errno.ENOMEM : sys.epollWait(...args);
  await using pool = await failingPool(1, undefined, { ...sys, epollWait }, url);
  isFull = true;
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  await pool.logged(2);
  appendFileSync(file, "// of another version\n");
  await pool.lost;
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringContaining("serving thread 0 died"),
    expect.stringContaining("tried again: cannot wait for clients: ENOMEM"),
    expect.stringContaining("serving thread 0 cannot be started: "),
  ]);
});

test("is not lost when a thread other than the accepting one cannot be replaced", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
  const words = `import { workerData } from "node:worker_threads";
    if (workerData.options.index === 0) await import(${FAILING_TEXT});\n`;
  writeFileSync(file, words);
  await using pool = await failingPool(2, undefined, sys, url);
  const lost = pool.lost.then(() => "lost");
  await crowdUntil(pool.path, () => pool.records.length > 0);
  expect(pool.records[0]?.message).toContain("serving thread 1 died");
  appendFileSync(file, "// of another version\n");
  await eventually("a failed replacement", () =>
    pool.records.some(({ message }) => message.includes("cannot be started")),
  );
  expect(await Promise.race([lost, askAgain(pool.path)])).toBe(0);
  expect(await answersAfter(pool, 0)).toBe(true); // else a watchdog would kill the server
});

/** A pool whose program is in a package of that name. The package is replaced once the pool serves. */
async function replacedPool(dir: TempDir, name: string) {
  const source = dir.join("src");
  const manifest = dir.join("package.json");
  mkdirSync(source);
  writeFileSync(manifest, JSON.stringify({ name, version: "1.0.0" }));
  const pool = await failingPool(2, undefined, sys, programFile(source).url);
  writeFileSync(manifest, JSON.stringify({ name, version: "1.0.1" }));
  await crowdUntil(pool.path, () => pool.records.length > 0 || pool.shared.serving() > 1);
  return { pool, manifest };
}

test("starts no thread after the package of the program was replaced", async () => {
  using dir = tempDir();
  const { pool, manifest } = await replacedPool(dir, "@xsocket/server");
  await using _ = pool;
  expect(pool.records[0]?.message).toContain(`${manifest} has changed since this server started`);
  expect(pool.shared.serving()).toBe(1);
});

test("still starts threads of a bundle after the package around it was replaced", async () => {
  using dir = tempDir();
  const { pool } = await replacedPool(dir, "an-application");
  await using _ = pool;
  expect(pool.records).toEqual([]);
  expect(pool.shared.serving()).toBe(2);
});
