import { expect, spyOn, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { errno, loadSyscalls, SHUT_RD, SHUT_RDWR, type Syscalls } from "@xsocket/xbind-native";
import { descriptors } from "../../../../tests/harness/descriptors.ts";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { eventually } from "../../../../tests/harness/wait.ts";
import { servingThreads } from "../../../../tests/server/process.ts";
import { askOnce, crowdUntil, RawClient, rawClients } from "../../../../tests/server/raw.ts";
import { DIES, THROWS } from "../../test/failing-worker.ts";
import { askAgain, FAILING_TEXT, failingPool, programFile, request } from "../../test/pool.ts";
import { THREAD, TOTAL } from "../memory/memory.ts";

const sys = loadSyscalls();

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
  await pool.logged(1);
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
  await pool.logged(1);
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
      pool.shared.addToThread(0, THREAD.records, 5); // as if it died while these records were on their way
      kept[0]?.send(request(DIES));
      await pool.logged(1);
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
    await eventually("those to be closed", () => open() <= running);
  }
  await eventually("all to be closed", () => open() <= before); // threads of other tests may still close some
});

test("ends a thread that ignores the order to stop", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
  const words = `import { parentPort } from "node:worker_threads";
    parentPort.postMessage({ kind: "ready" });
    setInterval(() => {}, 1000);\n`;
  writeFileSync(file, words);
  const pool = await failingPool(1, undefined, sys, url);
  await pool[Symbol.asyncDispose]();
  await eventually("the thread to end", () => servingThreads(process.pid).length === 0);
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
  expect([pool.records, pool.shared.total(TOTAL.replaced)]).toEqual([[], 0]);
  expect(begun).toHaveBeenCalledTimes(1);
  expect(ended).toHaveBeenCalledWith(begun.mock.results[0]?.value);
});

test("connections of a dead thread no longer count under a quota", async () => {
  await using pool = await failingPool(1, { connections: 1 });
  using first = new RawClient(pool.path);
  expect(first.ask()).toBe(0);
  using second = new RawClient(pool.path);
  expect(second.ask()).toBe(-errno.EPERM);
  first.send(request(DIES));
  await eventually("a death", () => pool.records.some(({ event }) => event === "thread"));
  using _ = new RawClient(pool.path); // it gets the descriptor number of the counted connection
  expect(await askAgain(pool.path)).toBe(0);
});

test("replaces a thread that died also where no memory for counts can be made", async () => {
  await using pool = await failingPool(1, { connections: 1 });
  using first = new RawClient(pool.path);
  first.send(request(DIES));
  using _ = spyOn(crypto, "getRandomValues").mockImplementation(() => {
    throw new RangeError("Out of memory"); // as a SharedArrayBuffer would
  });
  await pool.logged(1);
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

/*
 * The copy for the second thread takes so long that the first is woken, as by a connection that is handed to it.
 * That one was started after an order, and has taken one.
 */
test("no thread follows new rules before they were sent to all", async () => {
  await using pool = await failingPool(2, { connections: 1 });
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
  await pool.emptied(); // else the next one may be refused
  pool.follow();
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  await eventually("a death", () => pool.records.some(({ event }) => event === "thread"));
  expect(await askAgain(pool.path)).toBe(0);
  await pool.emptied();
  pool.follow();
  using kept = new RawClient(pool.path);
  using others = rawClients(pool.path, 3); // so that the second thread has less to do
  const first = [kept, ...others].map((client) => client.ask());
  expect(first).toEqual([0, -errno.EPERM, -errno.EPERM, -errno.EPERM]);
  const beats = pool.shared.thread(0, THREAD.beat);
  const meanwhile = () => {
    sys.eventfdAdd(pool.shared.thread(0, THREAD.wake));
    while (pool.shared.thread(0, THREAD.beat) === beats) Bun.sleepSync(1);
    expect(kept.ask()).toBe(0);
    while (pool.shared.thread(1, THREAD.load) === 0) Bun.sleepSync(1);
    kept.close();
    while (pool.shared.connections() > 3) Bun.sleepSync(1);
  };
  let copies = 0;
  pool.follow({
    rules: pool.policy.rules,
    get source() {
      if (++copies === 2) meanwhile();
      return "the test";
    },
  });
  expect(copies).toBe(2);
  using _ = rawClients(pool.path, 2); // one has the descriptor number of that connection
  using next = new RawClient(pool.path);
  expect(next.ask()).toBe(0);
});

test("follows new rules after others that could not be sent to all threads", async () => {
  await using pool = await failingPool(2);
  await crowdUntil(pool.path, () => pool.shared.serving() === 2);
  let copies = 0;
  const policy = {
    rules: pool.policy.rules,
    get source() {
      if (++copies === 2) throw new Error("no room for another copy");
      return "the test";
    },
  };
  expect(() => pool.follow(policy)).toThrow("no room for another copy");
  pool.follow({ source: "the test", rules: [] });
  await eventually("a refusal", () => askOnce(pool.path) !== 0);
  expect(askOnce(pool.path)).toBe(-errno.EPERM);
});

test("does not start a third thread while the second is starting", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
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
    await eventually("the first thread to answer", () => beatOfFirst() !== before);
    return areAll;
  };
  await eventually("all to answer", areAnswering);
  deaf.add(pool.shared.thread(1, THREAD.wake));
  await eventually("one not to answer", async () => !(await areAnswering()));
  deaf.clear(); // so that it receives the order to stop
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
  await eventually("three attempts", () => made.length >= 3);
  isFull = false;
  expect(new Set(made).size).toBe(1); // each is closed before the next one is made
  expect(pool.records.map(({ message }) => message)).toEqual([
    expect.stringContaining("a death on demand"),
    "serving thread 0 cannot be started yet and is tried again: Failed to spawn worker thread",
  ]);
  expect(await askAgain(pool.path)).toBe(0);
});

test("waits longer before each replacement of a thread that dies at its start", async () => {
  using dir = tempDir();
  const { file, url } = programFile(dir.path);
  writeFileSync(file, `${await Bun.file(file).text()}import "${dir.path}/part.ts";\n`);
  writeFileSync(dir.join("part.ts"), "");
  await using pool = await failingPool(1, undefined, sys, url);
  rmSync(dir.join("part.ts"));
  const real = Bun.sleep.bind(Bun);
  using sleep = spyOn(Bun, "sleep").mockImplementation((ms) => real(ms === 100 ? 1 : ms));
  const pauses = () => sleep.mock.calls.filter(([ms]) => ms === 100).length;
  using victim = new RawClient(pool.path);
  victim.send(request(DIES));
  await pool.logged(4);
  writeFileSync(dir.join("part.ts"), "");
  expect(await askAgain(pool.path)).toBe(0);
  const deaths = pool.records.length;
  expect(pauses()).toBe(2 ** deaths - 1); // 1, 2, 4, 8 and so on
  using next = new RawClient(pool.path); // the delays begin anew once it has served
  next.send(request(DIES));
  await pool.logged(deaths + 1);
  expect(await askAgain(pool.path)).toBe(0);
  expect(pauses()).toBe(2 ** deaths);
});
