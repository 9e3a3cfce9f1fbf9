import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { AF_INET, encode, SOCK_STREAM } from "@xsocket/protocol";
import { errno, loadSyscalls, SHUT_RD, SHUT_RDWR, type Syscalls } from "@xsocket/xbind-native";
import { descriptors } from "../../../../tests/harness/descriptors.ts";
import { numbersFrom } from "../../../../tests/harness/numbers.ts";
import { type TempDir, tempDir } from "../../../../tests/harness/temp.ts";
import { servingThreads } from "../../../../tests/server/process.ts";
import { crowdUntil, rawClients, RawClient } from "../../../../tests/server/raw.ts";
import { claimAt } from "../../test/claim.ts";
import { DIES, DIES_LOCKED, THROWS } from "../../test/failing-worker.ts";
import { fitBounds } from "../bounds.ts";
import type { LogRecord } from "../log.ts";
import { createMemory, THREAD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { DEFAULT_POLICY } from "../policy/builtin.ts";
import type { Rule } from "../policy/rule.ts";
import { type Common, Pool } from "./pool.ts";

const sys = loadSyscalls();
const DESCRIPTORS = 1024;
const PROTOCOLS = [THROWS, DIES, DIES_LOCKED, 0];
const FAILING = new URL("../../test/failing-worker.ts", import.meta.url);
const FAILING_TEXT = JSON.stringify(fileURLToPath(FAILING));

let dir: TempDir;
beforeEach(() => void (dir = tempDir()));
afterEach(() => dir[Symbol.dispose]());

/** A pool of threads that fail on demand, at a path. */
async function failingPool(
  threads: number,
  quotas: Partial<Rule> = {},
  poolSys = sys,
  script = FAILING,
) {
  await using stack = new AsyncDisposableStack();
  const path = dir.join("control");
  const claim = stack.use(claimAt(path));
  const bounds = fitBounds({}, DESCRIPTORS, threads);
  const memory = createMemory(DESCRIPTORS, threads);
  const records: LogRecord[] = [];
  const common: Common = {
    listenFd: claim.listenFd,
    ownsListener: true,
    memory,
    bounds,
    about: { address: path, file: undefined, namespace: undefined, startedAt: 0 },
    auditFd: -1,
    logLevel: "info",
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  };
  const shared = new Shared(memory);
  const rule = DEFAULT_POLICY.rules[0];
  const policy = {
    source: "the test",
    rules: rule ? [{ ...rule, protocols: PROTOCOLS, types: [SOCK_STREAM], ...quotas }] : [],
  };
  const pool = new Pool(poolSys, shared, common, policy, (record) => records.push(record), script);
  stack.defer(() => pool.stop());
  await pool.start();
  const owned = stack.move();
  return {
    path,
    listenFd: claim.listenFd,
    shared,
    records,
    follow: () => pool.follow(policy),
    areAnswering: () => pool.areAnswering(),
    lost: pool.lost,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A request at which a thread fails, by its protocol. */
function request(protocol: number): Uint8Array {
  return encode({ kind: "request", domain: AF_INET, type: SOCK_STREAM, protocol });
}

/** Asks on a new connection, which may wait in the backlog until this thread has started another one. */
async function askAgain(path: string): Promise<number> {
  using client = new RawClient(path);
  client.send();
  while (!client.isReadable()) await Bun.sleep(1);
  return client.reply();
}

/** Calls the threads, waits for the answer of one, and returns whether all have answered. */
async function answersAfter(
  { shared, areAnswering }: Awaited<ReturnType<typeof failingPool>>,
  index: number,
): Promise<boolean> {
  const before = shared.thread(index, THREAD.beat);
  areAnswering();
  while (shared.thread(index, THREAD.beat) === before) await Bun.sleep(1);
  return areAnswering();
}

function open(): number {
  return descriptors().size;
}

test("an exception closes one connection and leaves the server running", async () => {
  await using pool = await failingPool(1);
  using bad = new RawClient(pool.path);
  using good = new RawClient(pool.path);
  expect(good.ask()).toBe(0);
  expect(bad.ask(request(THROWS))).toBe(-errno.ECONNRESET);
  expect(good.ask()).toBe(0);
  while (pool.records.length === 0) await Bun.sleep(1);
  expect(pool.records[0]?.message).toContain("an exception on demand");
  expect(pool.shared.thread(0, THREAD.records)).toBe(0); // the main thread has counted it as arrived
});

test.each([
  ["both ways", SHUT_RDWR],
  ["for reading", SHUT_RD],
])("reports a listening socket that was shut down %s and does not spin on it", async (_, how) => {
  await using pool = await failingPool(1);
  using kept = new RawClient(pool.path);
  expect(kept.ask()).toBe(0);
  sys.shutdown(pool.listenFd, how);
  while (pool.records.length === 0) await Bun.sleep(1);
  expect(pool.records[0]?.message).toContain("the listening socket was shut down");
  const before = process.cpuUsage();
  await Bun.sleep(300);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(150);
  expect(kept.ask()).toBe(0);
  expect(pool.records.length).toBe(1);
});

test("replaces a thread that died, closes its connections and logs it", async () => {
  const before = open();
  {
    await using pool = await failingPool(1);
    const running = open();
    {
      using kept = rawClients(pool.path, 3);
      for (const client of kept) expect(client.ask()).toBe(0);
      pool.shared.addThread(0, THREAD.records, 5); // as if it died while these records were on their way
      kept[0]?.send(request(DIES));
      while (pool.records.length === 0) await Bun.sleep(1);
      expect(pool.records[0]?.message).toContain(
        "serving thread 0 died with 3 connections and is replaced: ",
      );
      expect(pool.records[0]?.message).toContain("a death on demand");
      expect(pool.shared.connections()).toBe(0);
      expect(pool.shared.flight.inFlight()).toBe(0);
      const others = kept.slice(1); // the first has a reply to receive
      expect(others.map((client) => client.ask() < 0)).toEqual([true, true]);
    }
    expect(await askAgain(pool.path)).toBe(0);
    expect(pool.shared.thread(0, THREAD.records)).toBe(0);
    // the new thread closes its copy of the socket, and the connection, a moment later
    while (open() > running) await Bun.sleep(1);
  }
  while (open() > before) await Bun.sleep(1); // threads of other tests may still close some
});

test("ends a thread that ignores the order to stop", async () => {
  const { file, url } = programFile();
  const words = `import { parentPort } from "node:worker_threads";
    parentPort.postMessage({ kind: "ready" });
    setInterval(() => {}, 1000);\n`;
  writeFileSync(file, words);
  const pool = await failingPool(1, undefined, sys, url);
  await pool[Symbol.asyncDispose]();
  while (servingThreads(process.pid).length > 0) await Bun.sleep(1);
}, 20_000);

test("wakes no descriptor after the pool has stopped", async () => {
  const woken: number[] = [];
  const eventfdAdd = (fd: number) => (woken.push(fd), sys.eventfdAdd(fd));
  const pool = await failingPool(1, undefined, { ...sys, eventfdAdd });
  await pool[Symbol.asyncDispose]();
  expect(woken.splice(0)).not.toEqual([-1]);
  pool.areAnswering();
  expect(woken).toEqual([-1]);
});

test("does not count a stopped thread as dead, and clears its timer", async () => {
  const pool = await failingPool(1);
  using begun = spyOn(globalThis, "setTimeout");
  using ended = spyOn(globalThis, "clearTimeout");
  await pool[Symbol.asyncDispose]();
  expect([pool.records, pool.shared.replaced()]).toEqual([[], 0]);
  expect(begun).toHaveBeenCalledTimes(1);
  expect(ended).toHaveBeenCalledWith(begun.mock.results[0]?.value);
});

test("a closed connection no longer counts under a quota", async () => {
  await using pool = await failingPool(1, { connections: 1 });
  using first = new RawClient(pool.path);
  using second = new RawClient(pool.path);
  expect([first.ask(), second.ask()]).toEqual([0, -errno.EPERM]);
  first.close();
  while (second.ask() !== 0) await Bun.sleep(1);
});

test("connections of a dead thread no longer count under a quota", async () => {
  await using pool = await failingPool(1, { connections: 1 });
  using first = new RawClient(pool.path);
  expect(first.ask()).toBe(0);
  using second = new RawClient(pool.path);
  expect(second.ask()).toBe(-errno.EPERM);
  first.send(request(DIES));
  while (!pool.records.some(({ event }) => event === "thread")) await Bun.sleep(1);
  using _ = new RawClient(pool.path); // it gets the descriptor number of the counted connection
  expect(await askAgain(pool.path)).toBe(0);
});

test("starts one thread, and the others when several connections ask at once", async () => {
  await using pool = await failingPool(3);
  using alone = new RawClient(pool.path);
  for (let i = 0; i < 2000; i++) expect(alone.ask()).toBe(0);
  await Bun.sleep(50);
  expect(pool.shared.serving()).toBe(1);
  await crowdUntil(pool.path, () => pool.shared.serving() === pool.shared.threadCount);
  expect(pool.shared.serving()).toBe(3);
});

/* Else a thread could count a connection by the new rules and hand it to one that counts it out by the old rules. */
test("sends new rules to all threads before waking any", async () => {
  const seen: string[] = [];
  const eventfdAdd = (fd: number) => (seen.push("woken"), sys.eventfdAdd(fd));
  await using pool = await failingPool(2, undefined, { ...sys, eventfdAdd });
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
  using _ = spyOn(MessagePort.prototype, "postMessage").mockImplementation(
    () => void seen.push("told"),
  );
  pool.follow();
  expect(seen).toEqual(["told", "told", "woken", "woken"]);
});

test("does not start a third thread while the second is starting", async () => {
  const { file, url } = programFile();
  writeFileSync(
    file,
    `import { workerData } from "node:worker_threads";
     if (workerData.options.index > 0) Bun.sleepSync(1000);
     await import(${FAILING_TEXT});\n`,
  );
  const looks: number[] = []; // serving threads at each call; a third thread may be wanted later
  const threadRoom = () => (looks.push(pool.shared.serving()), 0);
  await using pool = await failingPool(3, undefined, { ...sys, threadRoom }, url);
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
  expect(looks.filter((serving) => serving === 1)).toEqual([1]);
});

test("does not start a thread when told to stop just after much work", async () => {
  let looks = 0;
  const threadRoom = () => (looks++, 0);
  {
    await using pool = await failingPool(2, undefined, { ...sys, threadRoom });
    using clients = rawClients(pool.path, 16);
    for (const client of clients) expect(client.ask()).toBe(0);
    for (let i = 0; i < 400; i++) {
      for (const client of clients) client.send();
      for (const client of clients) client.reply();
    }
  }
  expect(looks).toBe(0);
});

test("areAnswering() notices a thread that did not answer the previous call", async () => {
  const deaf = new Set<number>();
  const eventfdAdd = (fd: number) => (deaf.has(fd) ? 0 : sys.eventfdAdd(fd));
  await using pool = await failingPool(2, undefined, { ...sys, eventfdAdd });
  deaf.add(pool.shared.thread(0, THREAD.wake));
  expect([pool.areAnswering(), pool.areAnswering()]).toEqual([true, false]);
  deaf.clear();
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
  const beatOfFirst = () => pool.shared.thread(0, THREAD.beat);
  const areAnswering = async () => {
    const before = beatOfFirst();
    const areAll = pool.areAnswering();
    while (beatOfFirst() === before) await Bun.sleep(1);
    return areAll;
  };
  while (!(await areAnswering())) await Bun.sleep(1);
  deaf.add(pool.shared.thread(1, THREAD.wake));
  while (await areAnswering()) await Bun.sleep(1);
  deaf.clear(); // so that it receives the order to stop
});

test("starts no thread while threads, descriptors or waits are refused, and one later", async () => {
  const looks: number[] = [];
  let refused = "threads";
  let passed = 0; // ms, added to the clock
  let room = 7; // descriptors, of which a thread takes eight
  await using pool = await failingPool(2, undefined, {
    ...sys,
    monotonic: () => sys.monotonic() + passed,
    threadRoom: (count) => (looks.push(count), refused === "threads" ? -errno.EAGAIN : 0),
    epollWait: (...args) => (refused === "waits" ? -errno.EPERM : sys.epollWait(...args)),
    eventfd: () => (refused === "descriptors" && room-- <= 0 ? -errno.EMFILE : sys.eventfd()),
  });
  const lookAgain = async () => {
    const before = looks.length;
    passed += 60_000;
    await crowdUntil(pool.path, () => looks.length > before);
  };
  await lookAgain();
  let rounds = 2;
  await crowdUntil(pool.path, () => rounds-- === 0);
  expect(looks).toHaveLength(1); // each check of threadRoom starts some threads for a moment
  refused = "descriptors";
  await lookAgain();
  expect(pool.shared.serving()).toBe(1);
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^serving thread 1 cannot be started yet .*: fewer than 17 threads/),
  ]);
  refused = "waits";
  await lookAgain();
  while (pool.shared.thread(1, THREAD.epoll) >= 0) await Bun.sleep(1); // its descriptors are closed
  refused = "";
  await lookAgain();
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
});

test("releases the locks of a thread that died holding them", async () => {
  await using pool = await failingPool(2);
  await crowdUntil(pool.path, () => pool.shared.serving() === pool.shared.threadCount);
  using victim = new RawClient(pool.path);
  victim.send(request(DIES_LOCKED));
  while (pool.records.length === 0) await Bun.sleep(1);
  expect(pool.records[0]?.message).toContain("a death on demand");
  expect(await askAgain(pool.path)).toBe(0);
});

test("replaces two threads of which one died holding the locks", async () => {
  await using pool = await failingPool(2);
  await crowdUntil(pool.path, () => pool.shared.serving() === pool.shared.threadCount);
  const deaths = [DIES, DIES_LOCKED];
  using victims = rawClients(pool.path, deaths.length);
  const loads = () => [0, 1].map((thread) => pool.shared.thread(thread, THREAD.load));
  while (loads().some((load) => load !== 1))
    for (const victim of victims) expect(victim.ask()).toBe(0);
  for (const [i, victim] of victims.entries()) {
    victim.send(request(deaths[i] ?? 0));
    expect(victim.isReadable(5000)).toBe(true);
  }
  Bun.sleepSync(50); // so that both are dead before the main thread is told of either
  while (pool.records.length < 2) await Bun.sleep(1);
  expect(pool.shared.connections()).toBe(0);
});

test("retries to replace a thread until one can be started", async () => {
  let isFull = false;
  const made: number[] = [];
  const epollWait: Syscalls["epollWait"] = (epoll, ...rest) => {
    if (!isFull) return sys.epollWait(epoll, ...rest);
    made.push(epoll);
    throw new Error("Failed to spawn worker thread"); // as Bun throws at a limit of threads
  };
  await using pool = await failingPool(1, undefined, { ...sys, epollWait });
  isFull = true;
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  while (made.length < 3) await Bun.sleep(1);
  isFull = false;
  expect(new Set(made).size).toBe(1); // each is closed before the next one is made
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringContaining("a death on demand"),
    "serving thread 0 cannot be started yet and is tried again: Failed to spawn worker thread",
  ]);
  expect(await askAgain(pool.path)).toBe(0);
});

/** A program of its own for the threads of one pool. */
function programFile(place = dir.path): { file: string; url: URL } {
  const file = join(place, "worker.ts");
  writeFileSync(file, `import ${FAILING_TEXT};\n`);
  return { file, url: pathToFileURL(file) };
}

test("starts no thread from a program file that has changed", async () => {
  const { file, url } = programFile();
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
  const { file, url } = programFile();
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
  const { file, url } = programFile();
  let isFull = false;
  const epollWait: Syscalls["epollWait"] = (...args) =>
    isFull ? -errno.ENOMEM : sys.epollWait(...args);
  await using pool = await failingPool(1, undefined, { ...sys, epollWait }, url);
  isFull = true;
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  while (pool.records.length < 2) await Bun.sleep(1);
  appendFileSync(file, "// of another version\n");
  await pool.lost;
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringContaining("serving thread 0 died"),
    expect.stringContaining("tried again: cannot wait for clients: ENOMEM"),
    expect.stringContaining("serving thread 0 cannot be started: "),
  ]);
});

test("is not lost when a thread other than the accepting one cannot be replaced", async () => {
  const { file, url } = programFile();
  const words = `import { workerData } from "node:worker_threads";
    if (workerData.options.index === 0) await import(${FAILING_TEXT});\n`;
  writeFileSync(file, words);
  await using pool = await failingPool(2, undefined, sys, url);
  const lost = pool.lost.then(() => "lost");
  await crowdUntil(pool.path, () => pool.records.length > 0);
  expect(pool.records[0]?.message).toContain("serving thread 1 died");
  appendFileSync(file, "// of another version\n");
  while (!pool.records.some(({ message }) => message.includes("cannot be started")))
    await Bun.sleep(1);
  expect(await Promise.race([lost, askAgain(pool.path)])).toBe(0);
  expect(await answersAfter(pool, 0)).toBe(true); // else a watchdog would kill the server
});

/** A pool whose program is in a package of that name. The package is replaced once the pool serves. */
async function replacedPool(name: string) {
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
  const { pool, manifest } = await replacedPool("@xsocket/server");
  await using _ = pool;
  expect(pool.records[0]?.message).toContain(`${manifest} has changed since this server started`);
  expect(pool.shared.serving()).toBe(1);
});

test("still starts threads of a bundle after the package around it was replaced", async () => {
  const { pool } = await replacedPool("an-application");
  await using _ = pool;
  expect(pool.records).toEqual([]);
  expect(pool.shared.serving()).toBe(2);
});

test("waits longer before each replacement of a thread that dies at its start", async () => {
  const { file, url } = programFile();
  writeFileSync(file, `${await Bun.file(file).text()}import "${dir.path}/part.ts";\n`);
  writeFileSync(dir.join("part.ts"), "");
  await using pool = await failingPool(1, undefined, sys, url);
  rmSync(dir.join("part.ts"));
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  await Bun.sleep(2000); // 100, 200, 400, 800 ms and what each takes
  expect(pool.records.length).toBeWithin(2, 6);
  writeFileSync(dir.join("part.ts"), "");
  expect(await askAgain(pool.path)).toBe(0);
  using sleep = spyOn(Bun, "sleep"); // the delays begin anew once it has served
  const deaths = pool.records.length;
  using next = new RawClient(pool.path);
  next.send(request(DIES));
  while (pool.records.length === deaths) await Bun.sleep(1);
  expect(await askAgain(pool.path)).toBe(0);
  expect(sleep.mock.calls.filter(([ms]) => ms === 100)).toHaveLength(1);
});

test.each([
  ["EPERM", `cannot wait for clients as uid ${process.geteuid?.()}: EPERM. Let the seccomp filter`],
  ["ENOSYS", "cannot wait for clients: ENOSYS. Let the seccomp filter allow epoll_pwait"],
] as const)("fails to start where epoll_wait gives %s", async (code, words) => {
  const before = open();
  const epollWait = () => -errno[code];
  await expect(failingPool(1, undefined, { ...sys, epollWait })).rejects.toThrow(words);
  expect(open()).toBe(before);
});

test("fails to start where epoll has no room for the user", async () => {
  const full = { ...sys, epollCtl: () => -errno.ENOSPC };
  await expect(failingPool(1, undefined, full)).rejects.toThrow(
    "cannot wait for clients: ENOSPC. Raise fs.epoll.max_user_watches (sysctl)",
  );
});

test("fails to start where a thread gets no descriptors", async () => {
  let made = 0;
  const epollCreate = () => (++made === 1 ? -errno.EMFILE : sys.epollCreate());
  const pool = failingPool(2, { protocols: [0] }, { ...sys, epollCreate });
  await expect(pool).rejects.toThrow("a serving thread did not start: epoll_create: EMFILE. Raise");
});

const SEED = Number(process.env["POOL_SEED"] ?? Date.now() % 2 ** 31);

/** Performs a random action of a client on one of its connections. */
function actAtRandom(path: string, kept: number[], random: (limit: number) => number): void {
  const action = random(10);
  if (action < 2 && kept.length < 60) {
    const connection = sys.handoverConnect(path, 1);
    if (connection >= 0) kept.push(connection);
  }
  const at = random(Math.max(1, kept.length));
  const connection = kept[at];
  if (connection === undefined) return;
  if (action < 6) {
    const protocol = random(150) === 0 ? (PROTOCOLS[random(3)] ?? 0) : 0;
    sys.handoverSend(connection, AF_INET, SOCK_STREAM, protocol);
  } else if (action < 9) {
    const fd = sys.handoverReceive(connection, AF_INET, SOCK_STREAM, 0, 1);
    if (fd >= 0) sys.close(fd);
  } else {
    if (random(2) === 0) sys.shutdown(connection, SHUT_RDWR);
    sys.close(connection);
    kept.splice(at, 1);
  }
}

test(`leaves nothing counted or open after random clients and dying threads (POOL_SEED=${SEED})`, async () => {
  const before = open();
  {
    await using pool = await failingPool(3, { connections: 50 });
    const random = numbersFrom(SEED);
    const kept: number[] = [];
    while (pool.shared.replaced() < 5) {
      actAtRandom(pool.path, kept, random);
      if (random(8) === 0) await Bun.sleep(0);
    }
    for (const connection of kept) sys.close(connection);
    while (pool.shared.connections() > 0) await Bun.sleep(1);
    expect(pool.shared.flight.inFlight()).toBe(0);
    for (const index of [0, 1, 2]) {
      expect(pool.shared.thread(index, THREAD.load)).toBe(0);
      expect(pool.shared.thread(index, THREAD.inbox)).toBe(-1);
    }
  }
  while (open() > before) await Bun.sleep(1); // an ending thread keeps two for a moment
}, 60_000);
