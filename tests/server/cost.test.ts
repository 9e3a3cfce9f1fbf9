/* What an exchange costs: the system calls of xsocket(), of bind with the library, and of the server. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errno, libraryPath } from "@xsocket/xbind-native";
import { eventually, here, isContained, ROOT, startServer, tempDir } from "../harness/index.ts";
import { firstFree, limitDescriptors, traced } from "./process.ts";
import { askOnce, rawClients, RawClient } from "./raw.ts";

/** The system calls in a trace, and which thread made each. */
function callsIn(trace: string): { readonly thread: string; readonly name: string }[] {
  const lines = readFileSync(trace, "utf8").matchAll(/^(\d+)\s+(\w+)\(/gm);
  return [...lines].map(([, thread = "", name = ""]) => ({ thread, name }));
}

const BENCH_LOAD = join(dirname(libraryPath("xsocket")), "bench/bench_load");

test("xsocket() makes only the expected system calls", async () => {
  using directory = tempDir();
  await using server = await startServer();
  const trace = directory.join("trace");
  const strace = ["strace", "-f", "-qq", "-e", "trace=all", "-o", trace];
  const { code, stderr } = await here.run([...strace, BENCH_LOAD, server.path, "call", "1", "1"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const made = callsIn(trace);
  const caller = made.find(({ name }) => name === "sendto")?.thread; // the main thread only waits for it
  const names = made.filter(({ thread }) => thread === caller).map(({ name }) => name);
  const rounds = names.join(" ").split(/(?=\bsocket\b)/);
  const calls = rounds[Math.floor(rounds.length / 2)]; // one in the middle, after warm-up
  expect(calls?.trim().split(" ")).toEqual([
    "socket",
    "connect",
    "sendto",
    "ppoll", // the deadline
    "recvmsg",
    "getsockname", // four to check that the socket is what was asked for
    "getsockopt",
    "getsockopt",
    "getsockopt",
    "fcntl", // whether it blocks
    "close", // the connection
    "close", // the socket, by the load generator
  ]);
});

const IDLE = 1000; // connections
const ASKED = 20; // times
const REFUSED = 200; // times, far more than are logged in a second

/** The system calls of a server during an action. */
async function callsDuring(pid: number, act: () => Promise<void>) {
  using directory = tempDir();
  const trace = directory.join("trace");
  const which = "trace=%desc,%network"; // Bun makes others, for locks and memory
  {
    await using _ = await traced(pid, "-f", "-o", trace, "-e", which);
    await act();
  }
  return callsIn(trace);
}

test("a request makes no system calls for the log or for idle connections", async () => {
  const patient = ["--first-request-ms", "600000", "--take-reply-ms", "600000"]; // nothing has to be checked meanwhile
  await using server = await startServer({ args: ["--threads", "1", ...patient] });
  using kept = new RawClient(server.path);
  expect(kept.ask()).toBe(0);
  const askKept = async () => {
    for (let i = 0; i < ASKED; i++) {
      expect(kept.ask()).toBe(0);
      await Bun.sleep(1);
    }
  };
  const made = await callsDuring(server.program.pid, async () => {
    await askKept();
    for (let i = 0; i < ASKED; i++) expect(askOnce(server.path)).toBe(0);
  });
  expect(made.filter(({ name }) => name === "sendmsg").length).toBeGreaterThanOrEqual(2 * ASKED);
  // writing a log line, or sending a record to the thread that does, would be one of these
  const said = made.filter(({ name }) => /^(write|writev|sendto|open|openat)$/.test(name));
  expect(said.length).toBeLessThan(ASKED / 2); // the rest of the start may be among them
  using idle = rawClients(server.path, IDLE);
  for (const client of idle) expect(client.ask()).toBe(0);
  const beside = await callsDuring(server.program.pid, askKept);
  const calls = beside.map(({ name }) => name).join(" ");
  const rounds = calls.split(/ ?epoll_pwait ?/);
  // whether the last reply was received; the request; the socket, sent and closed
  const own = rounds.filter((round) => round === "ioctl recvfrom socket sendmsg close");
  expect(own.length, calls).toBeGreaterThan(ASKED / 2);
});

test("a connection with one request makes only the calls it needs, and no epoll call", async () => {
  await using server = await startServer({ args: ["--threads", "1"] });
  const load = [BENCH_LOAD, server.path, "call", "4", "1"];
  const made = await callsDuring(server.program.pid, async () => {
    expect((await here.run(load)).code).toBe(0);
  });
  const requests = made.filter(({ name }) => name === "sendmsg").length;
  const counts = Object.groupBy(made, ({ name }) => name);
  // waits are shared by several requests, so their count rounds to 0
  const each = Object.entries(counts).map(([name, calls = []]) => [
    name,
    Math.round(calls.length / requests),
  ]);
  expect(Object.fromEntries(each.filter(([, count]) => count !== 0))).toEqual({
    accept4: 1,
    getsockopt: 1, // the client's ids
    recvfrom: 1,
    socket: 1,
    sendmsg: 1,
    ioctl: 1, // whether the socket was received, as the client has hung up
    close: 2,
  });
});

test("a refusal that is not logged makes no system call beside its reply", async () => {
  const policy = '[[rule]]\naction = "deny"\n';
  await using server = await startServer({ policy, args: ["--threads", "1"] });
  using kept = new RawClient(server.path);
  const refuse = () => expect(kept.ask()).toBe(-errno.EPERM);
  for (let i = 0; i < REFUSED; i++) refuse();
  const made = await callsDuring(server.program.pid, () => {
    for (let i = 0; i < REFUSED; i++) refuse();
    return Promise.resolve();
  });
  const named = made.filter(({ name }) => name.startsWith("open"));
  expect(made.filter(({ name }) => name === "sendmsg").length).toBeGreaterThanOrEqual(REFUSED);
  expect(named.length).toBeLessThan(REFUSED / 2); // one for the command's name of each that is logged
});

/*
 * Binds with so many descriptors open, followed by a call that nothing else makes. The first bind
 * searches all descriptors once, since the interpreter has had an epoll set and closed it.
 */
const BIND_AMONG = `import os, socket, sys
null = os.open("/dev/null", os.O_RDONLY)
for _ in range(int(sys.argv[1])): os.dup(null)
first, second = socket.socket(), socket.socket()
first.bind(("127.0.0.1", 0))
os.getpgid(0)
second.bind(("127.0.0.1", 0))
os.getpgid(0)`;

test.skipIf(isContained)(
  "bind makes the same system calls however many descriptors are open",
  async () => {
    using directory = tempDir();
    await using server = await startServer();
    const made: string[][] = [];
    for (const open of ["10", "900"]) {
      const trace = directory.join(open);
      const library = `LD_PRELOAD=${libraryPath("xbind")}`;
      const env = ["-E", library, "-E", "XBIND=*", "-E", `XSOCKET=${server.path}`];
      const argv = ["strace", "-o", trace, ...env, "python3", "-c", BIND_AMONG, open];
      const { code, stderr } = await here.run(argv);
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const names = [...readFileSync(trace, "utf8").matchAll(/^(\w+)\(/gm)].map(([, name]) => name);
      const [, between = ""] = names.join(" ").split("getpgid");
      made.push(between.trim().split(" "));
    }
    expect(made[0]).toContain("dup3");
    expect(made[1]).toEqual(made[0] ?? []);
  },
);

test("metrics do not retry accept in a loop while no descriptor is left", async () => {
  using directory = tempDir();
  const path = directory.join("metrics");
  await using server = await startServer({ args: ["--threads", "1", "--metrics", path] });
  const { pid } = server.program;
  const page = async () => (await fetch("http://x/metrics", { unix: path })).status;
  expect(await page()).toBe(200);
  let waiting: Promise<number> | undefined;
  await eventually("one that waits", async () => {
    await limitDescriptors(pid, firstFree(pid)); // Bun closes some of its own after the start
    const asked = page();
    const ended = asked.then(
      () => true,
      () => true,
    );
    waiting = asked;
    return !(await Promise.race([ended, Bun.sleep(200)]));
  });
  const calls = await callsDuring(pid, () => Bun.sleep(500));
  expect(calls.filter(({ name }) => name === "accept4").length).toBeLessThan(10); // or thousands
  await limitDescriptors(pid, 1024);
  expect(await page()).toBe(200);
  expect(await waiting).toBe(200); // it came in with that one
});

/* Waits for ever for a lock that another thread seems to hold. */
const WAIT_FOR_LOCK = `import { SharedLock } from "${join(ROOT, "packages/server/src/memory/lock.ts")}";
const words = new Int32Array(new SharedArrayBuffer(4));
new SharedLock(words, 0, 1).acquire();
new SharedLock(words, 0, 2).acquire();`;

test("a thread waits for a lock with clock_nanosleep, not with futex and its time of day", async () => {
  using directory = tempDir();
  const trace = directory.join("trace");
  const strace = ["strace", "-f", "-e", "trace=clock_nanosleep", "-o", trace];
  await using _ = here.spawn([...strace, process.execPath, "-e", WAIT_FOR_LOCK]);
  const hasSlept = () => existsSync(trace) && callsIn(trace).length > 0;
  await eventually("a sleep, as futex(2) takes a time of day", hasSlept);
});
