/* Signals and the end of a server, with whole processes. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RESPONSE_BYTES } from "@xsocket/protocol";
import {
  eventually,
  HELD_TO_MODES,
  here,
  type Running,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { askOnce, native, RawClient, rawClients, untilFree } from "./raw.ts";

test("signals during the stop change nothing", async () => {
  // slows down the removal of the second file, that of the metrics
  const slow = "-einject=?unlink,?unlinkat:delay_enter=200000:when=2";
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    using directory = tempDir();
    const [path, metrics] = [directory.join("control"), directory.join("metrics")];
    const argv = [XSOCKET, "serve", path, "--metrics", metrics];
    await using server = here.spawn(["strace", "-D", "-f", "-o/dev/null", slow, ...argv]);
    await server.says(/serving at/);
    server.kill("SIGTERM");
    while (!server.hasEnded) {
      server.kill(signal);
      await new Promise(setImmediate);
    }
    expect([signal, await server.finished()]).toEqual([signal, 0]);
    expect([existsSync(path), existsSync(metrics)]).toEqual([false, false]);
  }
});

test("a signal after a failed start does not hide the reason", async () => {
  using directory = tempDir();
  const path = directory.join("control");
  const slow = "-einject=?unlink,?unlinkat:delay_enter=200000"; // leaves time for the signal
  const argv = [XSOCKET, "serve", path, "--metrics", directory.join("none/metrics")];
  await using server = here.spawn(["strace", "-D", "-f", "-o/dev/null", slow, ...argv]);
  await eventually("the file", () => existsSync(path));
  while (!server.hasEnded) {
    server.kill("SIGTERM");
    await new Promise(setImmediate);
  }
  const code = await server.finished();
  expect(server.stderr).toContain("none/metrics does not exist");
  expect(code).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test("handles signals before it waits for events", async () => {
  using directory = tempDir();
  const trace = directory.join("trace");
  const calls = "trace=?epoll_wait,?epoll_pwait,?epoll_pwait2,rt_sigaction";
  const argv = ["strace", "-D", "-f", "-o", trace, "-e", calls, XSOCKET, "serve"];
  await using server = here.spawn([...argv, directory.join("control")]);
  await server.says(/serving at/);
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
  const traced = () => readFileSync(trace, "utf8");
  const end = new RegExp(`^${server.pid} +\\+\\+\\+ exited`, "m"); // strace gives a pid five columns
  await eventually("all of the trace", () => end.test(traced()));
  const [before = "", ...after] = traced().split(/SIGTERM, \{sa_handler=0x/);
  expect(before).not.toContain("epoll");
  expect(after.join("")).toContain("epoll");
});

test("stops at once with the largest backlog", async () => {
  await eventually("a quick stop", async () => {
    await using server = await startServer({ args: ["--backlog", "2147483647"] });
    const start = performance.now();
    expect(await server.stop()).toBe(0);
    return performance.now() - start < 3000; // a thread that does not stop is ended after this time
  });
});

test("answers requests that arrived before the stop", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  expect(client.ask()).toBe(0);
  await server.program.pause();
  client.send();
  using late = new RawClient(server.path); // in the backlog
  late.send();
  server.program.kill("SIGTERM");
  server.program.kill("SIGCONT");
  expect(client.reply()).toBe(0);
  expect(late.reply()).toBe(0);
  expect(await server.program.finished()).toBe(0);
});

/*
 * A server that stops waits so long for its clients, and on a busy machine they may come later. What they are
 * answered counts only if they were in time; returns whether all are, else the test has to try again.
 */
const LAST_MS = 200;
async function areAnswered(
  program: Running,
  hasBegun: () => Promise<unknown>,
  ask: () => number[],
): Promise<boolean> {
  const start = performance.now();
  program.kill("SIGTERM");
  await hasBegun();
  const replies = ask();
  const isLate = performance.now() - start > LAST_MS;
  if (!isLate) expect(replies).toEqual(replies.map(() => 0));
  expect(await program.finished()).toBe(0);
  return replies.every((reply) => reply === 0);
}

test("answers a client that connected before the stop and asks after", async () => {
  await eventually("an answer", async () => {
    await using server = await startServer();
    using client = new RawClient(server.path);
    expect(askOnce(server.path)).toBe(0); // so the client above has been accepted
    const hasBegun = async () => {
      await eventually("it to begin to stop", () => !existsSync(server.path));
      await Bun.sleep(20); // so that it has to wait
    };
    return await areAnswered(server.program, hasBegun, () => [client.ask()]);
  });
});

test("frees its abstract name when it begins to stop", async () => {
  await eventually("an answer", async () => {
    await using server = await startServer({ path: `@xsocket-test-${process.pid}` });
    using client = new RawClient(server.path);
    expect(askOnce(server.path)).toBe(0);
    const hasBegun = () => untilFree(server.path);
    return await areAnswered(server.program, hasBegun, () => [client.ask()]);
  });
});

test("answers pipelined requests when it stops, as fast as the client receives", async () => {
  await eventually("all answers", async () => {
    await using server = await startServer();
    using clients = rawClients(server.path, 8);
    await server.program.pause();
    for (const client of clients) for (let i = 0; i < 3; i++) client.send();
    const hasBegun = () => {
      server.program.kill("SIGCONT");
      return eventually("it to begin to stop", () => !existsSync(server.path));
    };
    const receive = () => clients.flatMap((client) => [0, 1, 2].map(() => client.reply()));
    return await areAnswered(server.program, hasBegun, receive);
  });
});

test("leaves a sent reply to be received after it has stopped", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  for (let i = 0; i < 3; i++) client.send();
  expect(client.isReadable(5000)).toBe(true);
  expect(await server.stop()).toBe(0);
  const reply = new Uint8Array(new ArrayBuffer(RESPONSE_BYTES));
  expect(native.receivePacket(client.fd, reply, RESPONSE_BYTES)).toBe(RESPONSE_BYTES);
});

test("removes only its own socket file at the end", async () => {
  await using server = await startServer();
  const moved = `${server.path}.moved`;
  renameSync(server.path, moved);
  writeFileSync(server.path, "somebody else's");
  expect(await server.stop()).toBe(0);
  expect(readFileSync(server.path, "utf8")).toBe("somebody else's");
  expect(existsSync(moved)).toBe(true);
});

test("stops cleanly when the directory was removed or replaced", async () => {
  const changes: Record<string, (path: string) => void> = {
    "a file": (path) => writeFileSync(path, ""),
    "a loop": (path) => symlinkSync(path, path),
    nothing: () => {},
  };
  for (const [what, change] of Object.entries(changes)) {
    using directory = tempDir();
    const home = directory.join("home");
    mkdirSync(home);
    await using server = await startServer({ path: join(home, "control") });
    renameSync(home, directory.join("moved"));
    change(home);
    expect([what, await server.stop()]).toEqual([what, 0]);
    expect(server.program.stderr).not.toContain("releasePath"); // no stack trace
    if (what !== "nothing")
      expect(server.program.stderr).toContain(`file ${server.path} could not be removed: E`);
    rmSync(home, { force: true });
  }
});

test("names a socket file that it may not remove", async () => {
  using directory = tempDir();
  const [home, path] = [directory.join("home"), directory.join("home/control")];
  mkdirSync(home);
  await using server = await startServer({ path, before: HELD_TO_MODES });
  chmodSync(home, 0o500);
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr).toEndWith(
    `xsocket: warning: the socket file ${path} could not be removed: EACCES\n`,
  );
});
