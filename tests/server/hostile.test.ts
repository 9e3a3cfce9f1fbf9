/* Hostile clients. */
import { expect, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { AF_PACKET, encode, SOCK_RAW } from "@xsocket/protocol";
import { askStatus, type ServerStatus } from "@xsocket/server";
import { errno, SHUT_RD } from "@xsocket/xbind-native";
import {
  asOrdinaryUser,
  bunAsOrdinaryUser,
  eventually,
  guardDescriptors,
  HELD_TO_MODES,
  here,
  isContained,
  isRoot,
  startServer,
  tempDir,
  typed,
  XSOCKET,
  xsocketForEveryone,
} from "../harness/index.ts";
import { type Load, loadProgram, runLoad } from "./load.ts";
import { firstFree, limitDescriptors, residentMb, servingThreads, traced } from "./process.ts";
import { askOnce, native, rawClients, RawClient, REQUEST } from "./raw.ts";

guardDescriptors();

const ROOT = join(import.meta.dir, "../..");

const PACKETS_MAX = 20; // more than a socket's buffer holds

/** Sends as many requests as there is room for and receives nothing. */
function pipeline(client: RawClient): void {
  for (let i = 0; i < PACKETS_MAX && client.send() >= 0; i++);
}

/** The number of open descriptors of a process. */
function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The CPU time of a process in seconds. */
function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test.if(isRoot && !isContained)(
  "100 clients that pipeline and never receive do not block an unprivileged server",
  async () => {
    using directory = tempDir();
    const script = `import { serve, untilSignal } from "@xsocket/server";
    await untilSignal(serve({ address: process.argv[1], mode: 0o666, sharedDirectory: true }));`;
    using socket = tempDir(0o1777);
    const path = socket.join("control");
    const argv = [
      "prlimit",
      "--nofile=1024",
      "--",
      ...bunAsOrdinaryUser(directory, ["--cwd=tests", "-e", script, path]),
    ];
    await using server = here.spawn(argv);
    await eventually("the server", () => server.stderr !== "" || here.listensAt(path));
    expect(server.stderr).toBe("");
    using clients = rawClients(path, 100);
    for (const client of clients) pipeline(client);
    for (let i = 0; i < 2000; i++) expect(askOnce(path)).toBe(0);
    for (const client of clients) expect(client.reply()).toBe(0);
  },
);

test.if(isRoot && !isContained)(
  "answers and logs ETOOMANYREFS when servers of the same user have too many in flight",
  async () => {
    using socket = tempDir(0o1777);
    const before = asOrdinaryUser(["prlimit", "--nofile=160", "--"], 4303);
    const args = ["--mode", "666", "--shared-directory"];
    await using all = new AsyncDisposableStack();
    for (let i = 0; i < 3; i++) {
      const path = socket.join(`${i}`);
      const dir = all.use(tempDir());
      const argv = xsocketForEveryone(dir, ["serve", path, ...args], before);
      const server = all.use(here.spawn(argv));
      await server.says(/serving at/);
      const clients = all.use(rawClients(path, 56));
      for (const client of clients) client.send();
      for (const client of clients) await eventually("a reply", () => client.isReadable());
      if (i < 2) continue;
      expect(clients.map((client) => client.reply())).toContain(-errno.ETOOMANYREFS);
      await server.says(/cannot hand sockets over for now: ETOOMANYREFS\. .*LimitNOFILE=/);
    }
  },
);

test("closes only the connection of a malformed request", async () => {
  await using server = await startServer();
  using good = new RawClient(server.path);
  expect(good.ask()).toBe(0);
  const wrong = REQUEST.slice();
  wrong[3] = 0x39;
  const packets = [REQUEST.slice(0, 15), new Uint8Array(17), new Uint8Array(0), wrong];
  for (const packet of [...packets, new Uint8Array(100_000)]) {
    using client = new RawClient(server.path);
    client.send(packet);
    expect(client.isClosed(5000)).toBe(true);
    expect(client.reply()).toBe(-errno.ECONNRESET);
  }
  expect(good.ask()).toBe(0);
});

test("answers EMFILE at the descriptor limit, does not spin, and recovers", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  await server.program.says(/serving at/);
  expect(askOnce(server.path)).toBe(0);
  const { pid } = server.program;
  // Bun closes some of its own after the start, so the limit is set until it has an effect.
  const hears = (ask: () => number) =>
    eventually("EMFILE", async () => {
      await limitDescriptors(pid, firstFree(pid));
      return ask() === -errno.EMFILE;
    });
  using kept = new RawClient(server.path);
  expect(kept.ask()).toBe(0);
  await hears(() => kept.ask()); // no descriptor for the socket
  await hears(() => {
    using client = new RawClient(server.path); // none for the connection
    client.send();
    return client.reply();
  });
  const before = cpuSeconds(server.program.pid);
  using waiting = rawClients(server.path, 5);
  for (const client of waiting) client.send();
  await Bun.sleep(1000);
  expect(cpuSeconds(server.program.pid) - before).toBeLessThan(0.3);
  await limitDescriptors(pid, 1024);
  await eventually("the server to recover", () => askOnce(server.path) === 0);
  expect(kept.ask()).toBe(0);
});

test("1,000 stuck clients of one user do not slow down another", async () => {
  using directory = tempDir();
  const program = loadProgram(directory);
  await using server = await startServer({ args: ["--mode", "0666"] });
  const load: Load = { mode: "call", callers: 1, seconds: 0.4 };
  const measure = async () => {
    const { failed, said, p99 } = await runLoad(program, server.path, load);
    expect([failed, said]).toEqual([0, ""]);
    return p99;
  };
  await measure(); // warm
  const usual: number[] = [];
  const beside: number[] = [];
  // the best of each, since other load can only make them longer
  const isClose = () => Math.min(...beside) < 2 * Math.min(...usual);
  for (let round = 0; round < 4 || (round < 12 && !isClose()); round++) {
    usual.push(await measure());
    using clients = rawClients(server.path, 1000);
    for (const [i, client] of clients.entries()) {
      if (i % 3 === 1) client.send(REQUEST.slice(0, 8));
      if (i % 3 === 2) pipeline(client);
    }
    beside.push(await measure());
  }
  expect(Math.min(...beside)).toBeLessThan(2 * Math.min(...usual));
});

test.if(isRoot).each([
  ["hangs up", (client: RawClient) => client.close()],
  ["receives nothing any more", (client: RawClient) => native.shutdown(client.fd, SHUT_RD)],
] as const)(
  "a client that asks for packet sockets and %s does not hold up others",
  async (_, leave) => {
    using clients = new DisposableStack();
    using directory = tempDir();
    const policy = directory.join("policy.toml");
    const rules = ["", 'family = "AF_PACKET"\ntype = "raw"\n'];
    writeFileSync(policy, rules.map((rule) => `[[rule]]\naction = "allow"\n${rule}`).join(""));
    await using server = await startServer({ args: ["--policy", policy] });
    const request = encode({ kind: "request", domain: AF_PACKET, type: SOCK_RAW, protocol: 0 });
    await server.program.pause(); // so that no client is answered before it leaves
    for (let i = 0; i < 300; i++) {
      const client = clients.use(new RawClient(server.path));
      client.send(request);
      leave(client);
    }
    server.program.kill("SIGCONT");
    expect(askOnce(server.path)).toBe(0);
    // each takes 10 ms to close, so few are made
    const refused = () => askStatus(native, server.path, 1000).stats.refusedInFlight;
    await eventually("most to be refused", () => refused() > 200);
  },
);

test("leaks nothing over 1,000,000 requests and 100,000 malformed ones", async () => {
  using directory = tempDir();
  const program = loadProgram(directory);
  await using server = await startServer({ args: ["--mode", "0666"] });
  await server.program.says(/serving at/);
  const { pid } = server.program;
  const open = server.sockets();
  const ask = async (mode: "call" | "kept", count: number) => {
    for (let asked = 0; asked < count;) {
      const done = await runLoad(program, server.path, { mode, callers: 4, seconds: 2 });
      expect([done.failed, done.said]).toEqual([0, ""]);
      asked += done.requests;
    }
  };
  await ask("call", 30_000);
  await ask("kept", 200_000); // by then all its threads have started, even on a busy machine
  const memory = residentMb(pid);
  const files = openFiles(pid);
  await ask("call", 200_000);
  await ask("kept", 800_000);
  const malformed = new Uint8Array(16);
  for (let i = 0; i < 100_000; i++) {
    using client = new RawClient(server.path);
    client.send(malformed);
    if (i % 100 === 0) await client.closing();
  }
  await eventually("all to be closed", () => server.sockets() === open);
  expect(openFiles(pid) - files).toBeLessThan(8); // Bun opens and closes some of its own
  expect(residentMb(pid) - memory).toBeLessThan(16);
}, 600_000); // half a minute on an idle machine

/* Runs a program whose stderr is a terminal that nobody reads. */
const ON_A_TERMINAL = `import os, pty, subprocess, sys
_, terminal = pty.openpty()
sys.exit(subprocess.run(sys.argv[1:], stderr=terminal).returncode)`;

test("a terminal that nobody reads does not block the main thread", async () => {
  using dir = tempDir();
  const [path, metrics] = [dir.join("control"), dir.join("metrics")];
  const serve = [XSOCKET, "serve", path, "--log-level", "debug", "--metrics", metrics];
  await using terminal = here.spawn(["python3", "-c", ON_A_TERMINAL, ...serve]);
  await eventually("the metrics", () => existsSync(metrics));
  using client = new RawClient(path);
  for (let i = 0; i < 3000; i++) expect(client.ask()).toBe(0);
  const asked = fetch("http://x/metrics", { unix: metrics, signal: AbortSignal.timeout(5000) });
  expect((await asked).status).toBe(200);
  const status = await here.run([XSOCKET, "status", path, "--json"]);
  const { pid, descriptors }: ServerStatus = JSON.parse(status.stdout);
  expect(descriptors.open).toBeLessThan(100); // it opens the terminal once
  process.kill(pid, "SIGTERM");
  expect(await terminal.finished()).toBe(0);
});

/* As after su(1), where the user may write to the terminal but not open it. */
test("logs to a terminal that this user may not open", async () => {
  using dir = tempDir();
  const serve = typed(...HELD_TO_MODES, XSOCKET, "serve", dir.join("control"));
  const script = ["script", "-qec", `chmod 0 "$(tty)" && echo $$ && exec ${serve}`, "/dev/null"];
  await using terminal = here.spawn(script);
  const [, pid] = await terminal.says(/(\d+)/);
  await terminal.says(/serving at/);
  process.kill(Number(pid), "SIGTERM");
  expect(await terminal.finished()).toBe(0);
});

test("a log that nobody reads blocks neither clients nor the stop", async () => {
  using directory = tempDir();
  const fifo = directory.join("log");
  const path = directory.join("control");
  const policy = directory.join("policy");
  writeFileSync(policy, '[[rule]]\naction = "allow"\n');
  // the shell holds the pipe's other end and never reads
  const script = `mkfifo "$0" && exec 3<>"$0" && exec "$@" --log-level debug 2>"$0"`;
  const argv = ["sh", "-c", script, fifo, XSOCKET, "serve", path, "--policy", policy];
  await using server = here.spawn(argv);
  await eventually("the server", () => here.listensAt(path));
  expect(askOnce(path)).toBe(0); // it has read the policy
  writeFileSync(policy, `${"x".repeat(100_000)} = 1\n`); // the error takes more than the pipe holds
  server.kill("SIGHUP");
  for (let i = 0; i < 2000; i++) expect(askOnce(path)).toBe(0); // 150 KB of log
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
});

/** Makes some system calls of a running process fail, until it is disposed of. */
function failing(pid: number, what: string): Promise<AsyncDisposable> {
  return traced(pid, "-f", "-o/dev/null", `-einject=${what}`);
}

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

test("answers ENFILE when the system has no files left, and recovers", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  await server.program.says(/serving at/);
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
  await server.program.says(/serving at/);
  {
    await using _ = await failing(server.program.pid, `${call}:error=${error}:when=1..2`);
    using client = new RawClient(server.path);
    client.send(); // the server may have closed it already
    expect(client.reply()).toBe(rc);
    await server.program.says(new RegExp(`a connection was closed, since ${why} gives ${error}`));
  }
  expect(askOnce(server.path)).toBe(0);
});
