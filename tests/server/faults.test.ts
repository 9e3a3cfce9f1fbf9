/* Servers in which system calls fail, injected by strace(1). */
import { expect, test } from "bun:test";
import { appendFileSync, cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { errno } from "@xsocket/xbind-native";
import { eventually, here, ROOT, startServer, tempDir, XSOCKET } from "../harness/index.ts";
import { servingThreads, traced } from "./process.ts";
import { askOnce, crowdUntil, RawClient } from "./raw.ts";

const CALLS_MAX = 50; // of one name, far more than a server makes

/** The outcome of a server whose n-th call failed. */
interface Outcome {
  /** Whether there was an n-th call. */
  readonly wasHit: boolean;
  /** Whether it served before it was told to stop. */
  readonly served: boolean;
  readonly code: number;
  readonly stderr: string;
  readonly leftSocket: boolean;
}

/** Starts a server whose n-th call of that name fails, and stops it if it serves. */
async function serveWith(
  call: string,
  error: string,
  n: number,
  ofPath: boolean,
): Promise<Outcome> {
  using directory = tempDir();
  const path = directory.join("s");
  const trace = directory.join("trace");
  const paths = ofPath ? ["-P", directory.path, "-P", path] : [];
  const inject = `inject=${call}:error=${error}:when=${n}`;
  const strace = ["strace", "-D", "-f", "-o", trace, "-e", `trace=${call}`, "-e", inject, ...paths];
  const argv = [...strace, XSOCKET, "serve", path];
  await using program = here.spawn(argv);
  const served = await program.says(/serving at/).then(
    () => true,
    () => false,
  );
  if (served) program.kill("SIGTERM");
  const code = await program.finished();
  const wasHit = readFileSync(trace, "utf8").includes("(INJECTED)");
  return { wasHit, served, code, stderr: program.stderr, leftSocket: existsSync(path) };
}

test.each([
  ["statx", "EACCES", true],
  ["statx", "EIO", true],
  ["openat", "EMFILE", true],
  ["fchmod", "EPERM", false],
] as const)(
  "a start in which %s fails with %s reports it in one sentence and leaves nothing",
  async (call, error, ofPath) => {
    let hits = 0;
    for (let n = 1; n < CALLS_MAX; n++) {
      const outcome = await serveWith(call, error, n, ofPath);
      if (!outcome.wasHit) break;
      hits++;
      if (outcome.served) {
        expect([n, outcome.code]).toEqual([n, 0]);
        continue;
      }
      expect([n, outcome.stderr]).toEqual([n, expect.stringMatching(/^xsocket: cannot [^\n]*\n$/)]);
      expect([n, outcome.code, outcome.leftSocket]).toEqual([n, 1, false]);
    }
    expect(hits).toBeGreaterThan(0);
    expect(hits).toBeLessThan(CALLS_MAX - 1);
  },
);

test("blames the filter, not the directory, when UNIX sockets are forbidden", async () => {
  const { code, stderr } = await serveWith("socket", "EACCES", 1, false);
  const remedy = "Allow AF_UNIX in RestrictAddressFamilies= of its unit, or in its seccomp filter";
  expect(stderr).toMatch(/^xsocket: cannot make a socket for \S+ as uid \d+: EACCES\. /);
  expect(stderr).toEndWith(`${remedy}\n`);
  expect(code).toBe(1);
});

/** Makes some system calls of a running process fail, until it is disposed of. */
function failing(pid: number, what: string): Promise<AsyncDisposable> {
  return traced(pid, "-f", "-o/dev/null", `-einject=${what}`);
}

test("answers ENFILE when the system has no files left, and recovers", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  using kept = new RawClient(server.path);
  expect(kept.ask()).toBe(0);
  for (const times of [1, 2]) {
    await using _ = await failing(server.program.pid, "socket:error=ENFILE:when=1..2");
    expect([kept.ask(), kept.ask(), kept.ask()]).toEqual([-errno.ENFILE, -errno.ENFILE, 0]);
    const said = () => server.program.stderr.match(/sockets for now: ENFILE\. Raise fs.file-max/g);
    await eventually("the log to say it", () => (said()?.length ?? 0) >= times);
    expect(said()).toHaveLength(times);
  }
  {
    await using _ = await failing(server.program.pid, "accept4:error=ENFILE:when=1..8");
    expect(askOnce(server.path)).toBe(0); // the client waits in the backlog until accept succeeds
    await server.program.says(/cannot accept connections for now: ENFILE/);
    expect(server.program.stderr.match(/connections for now: ENFILE/g)).toHaveLength(1); // once for several failures
  }
  expect([askOnce(server.path), kept.ask()]).toEqual([0, 0]);
});

test.each([
  ["getsockopt", "EPERM", -errno.EIO, "the kernel does not say whose it is: getsockopt"],
  ["recvfrom", "ENOMEM", -errno.ECONNRESET, "its request cannot be read: recvfrom"],
  ["sendmsg", "ENOBUFS", -errno.ECONNRESET, "its client cannot be answered: sendmsg"],
])("closes a connection on which %s fails with %s and logs why", async (call, error, rc, why) => {
  await using server = await startServer({ args: ["--threads", "1"] });
  {
    await using _ = await failing(server.program.pid, `${call}:error=${error}:when=1..2`);
    using client = new RawClient(server.path);
    client.send(); // the server may have closed it already
    expect(client.reply()).toBe(rc);
    await server.program.says(new RegExp(`a connection was closed, since ${why} gives ${error}`));
  }
  expect(askOnce(server.path)).toBe(0);
});

/** Makes the serving thread of a process die at its next wait for events. */
function failNextWait(pid: number): Promise<AsyncDisposable> {
  const [thread = ""] = servingThreads(pid);
  return traced(thread, "-o/dev/null", "-einject=epoll_pwait:error=EBADF");
}

test("a server whose program has changed exits when its accepting thread dies", async () => {
  using directory = tempDir();
  const path = directory.join("control");
  cpSync(join(ROOT, "build/tree"), directory.join("lib"), { recursive: true });
  const script = directory.join("lib/main.js");
  const argv = [XSOCKET, "--script", script, "xsocket", "", "serve", path];
  await using server = here.spawn(argv, { env: { XSOCKET_BUN: process.execPath } });
  await server.says(/serving at/);
  appendFileSync(directory.join("lib/_worker.ts"), "// of another version\n");
  await using _ = await failNextWait(server.pid);
  using client = new RawClient(path);
  client.send();
  expect(await server.finished()).toBe(1);
  expect(existsSync(path)).toBe(false);
  expect(server.stderr).toContain("serving thread 0 cannot be started: ");
  expect(server.stderr).toEndWith(
    "\nxsocket: the server has ended, since no thread of it accepts and none can be started: start it again\n",
  );
});

test("a program that ignores server.closed goes on when the server ends by itself", async () => {
  using directory = tempDir();
  const path = directory.join("control");
  cpSync(join(ROOT, "packages/server"), directory.join("server"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), directory.join("node_modules"));
  const script = `
    import { existsSync } from "node:fs";
    import { serve } from "./server/src/index.ts";
    const [, path] = process.argv;
    await using server = await serve({ address: path });
    console.log("serving");
    while (existsSync(path)) await Bun.sleep(10);
    await server.stop();
    console.log("goes on");`;
  await using program = here.spawn([process.execPath, "-e", script, path], {
    cwd: directory.path,
  });
  await program.says(/serving/);
  appendFileSync(directory.join("server/src/_worker.ts"), "// of another version\n");
  await using _ = await failNextWait(program.pid);
  using client = new RawClient(path);
  client.send();
  await program.finished();
  expect(program.stdout + program.stderr).toBe("serving\ngoes on\n");
});

test("names the limit of memory as well when no further thread can be had", async () => {
  await using server = await startServer();
  const { program, path } = server;
  expect((await here.run(["prlimit", `--pid=${program.pid}`, "--as=1"])).code).toBe(0);
  await crowdUntil(path, () => program.stderr.includes("fewer than 17 threads"), program.pid);
  expect(program.stderr).toContain("or that of memory for their stacks (ulimit -v)");
});
