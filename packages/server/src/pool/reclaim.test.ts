import { expect, test } from "bun:test";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { loadSyscalls, SHUT_RDWR } from "@xsocket/xbind-native";
import { descriptors } from "../../../../tests/harness/descriptors.ts";
import { numbersFrom } from "../../../../tests/harness/numbers.ts";
import { eventually } from "../../../../tests/harness/wait.ts";
import { crowdUntil, rawClients } from "../../../../tests/server/raw.ts";
import { DIES, DIES_LOCKED } from "../../test/failing-worker.ts";
import { failingPool, PROTOCOLS, request } from "../../test/pool.ts";
import { SharedLock } from "../memory/lock.ts";
import { createMemory, FIELD, STATE, THREAD, TOTAL } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { reclaim } from "./reclaim.ts";

const native = loadSyscalls();
const [DESCRIPTORS, CONNECTION] = [64, 20];

/** A thread that has just been handed its one connection, and the descriptors that are closed. */
function dead() {
  const closed: number[] = [];
  const close = (fd: number) => (closed.push(fd), 0);
  const tickDelete = (timer: number) => (closed.push(timer), 0);
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  const held = { epoll: 10, spare: 11, scratch: 12, tick: 13, serves: 1 } as const;
  for (const [column, value] of Object.entries(held))
    shared.setThread(1, Reflect.get(THREAD, column), value);
  shared.addConnection(CONNECTION);
  shared.set(CONNECTION, FIELD.state, STATE.busy);
  shared.move(CONNECTION, 1);
  const lock = new SharedLock(new Int32Array(memory.totals), TOTAL.lock, 1);
  return { shared, lock, closed, sys: { ...native, close, tickDelete } };
}

test("closes the descriptors of a thread once", async () => {
  const { shared, closed, sys } = dead();
  expect(await reclaim(sys, shared, 1)).toBe(1);
  expect(new Set(closed)).toEqual(new Set([CONNECTION, 10, 11, 12, 13]));
  expect(await reclaim(sys, shared, 1)).toBe(0);
  expect(closed).toHaveLength(5);
});

test("leaves no closed connection in the inbox", async () => {
  const { shared, sys } = dead();
  await reclaim(sys, shared, 1);
  expect(shared.takePosted(1)).toBe(-1);
});

test("releases the lock of the thread", async () => {
  const { shared, lock, sys } = dead();
  lock.acquire();
  expect(await reclaim(sys, shared, 1)).toBe(1);
});

test("replaces two threads of which one died holding the lock", async () => {
  await using pool = await failingPool(2);
  await crowdUntil(pool.path, () => pool.shared.serving() === pool.shared.threadCount);
  const deaths = [DIES, DIES_LOCKED];
  using victims = rawClients(pool.path, deaths.length);
  const loads = () => [0, 1].map((thread) => pool.shared.thread(thread, THREAD.load));
  // asked first, and counted: connections of the crowd may not be closed yet
  do for (const victim of victims) expect(victim.ask()).toBe(0);
  while (pool.shared.connections() > deaths.length || loads().some((load) => load !== 1));
  for (const [i, victim] of victims.entries()) {
    victim.send(request(deaths[i] ?? 0));
    expect(victim.isReadable(5000)).toBe(true);
  }
  Bun.sleepSync(50); // so that both are dead before the main thread is told of either
  await pool.logged(2);
  expect(pool.shared.connections()).toBe(0);
});

const SEED = Number(process.env["POOL_SEED"] ?? Date.now() % 2 ** 31);

/** Performs a random action of a client on one of its connections. */
function actAtRandom(path: string, kept: number[], random: (limit: number) => number): void {
  const action = random(10);
  if (action < 2 && kept.length < 60) {
    const connection = native.handoverConnect(path, 1);
    if (connection >= 0) kept.push(connection);
  }
  const at = random(Math.max(1, kept.length));
  const connection = kept[at];
  if (connection === undefined) return;
  if (action < 6) {
    const protocol = random(150) === 0 ? (PROTOCOLS[random(3)] ?? 0) : 0;
    native.handoverSend(connection, AF_INET, SOCK_STREAM, protocol);
  } else if (action < 9) {
    const fd = native.handoverReceive(connection, AF_INET, SOCK_STREAM, 0, 1);
    if (fd >= 0) native.close(fd);
  } else {
    if (random(2) === 0) native.shutdown(connection, SHUT_RDWR);
    native.close(connection);
    kept.splice(at, 1);
  }
}

test(`leaves nothing counted or open after random clients and dying threads (POOL_SEED=${SEED})`, async () => {
  const before = descriptors().size;
  {
    await using pool = await failingPool(3, { connections: 50 });
    const random = numbersFrom(SEED);
    const kept: number[] = [];
    while (pool.shared.total(TOTAL.replaced) < 5) {
      actAtRandom(pool.path, kept, random);
      if (random(8) === 0) await Bun.sleep(0);
    }
    for (const connection of kept) native.close(connection);
    await pool.emptied();
    expect(pool.shared.flight.inFlight()).toBe(0);
    for (const index of [0, 1, 2]) {
      expect(pool.shared.thread(index, THREAD.load)).toBe(0);
      expect(pool.shared.thread(index, THREAD.inbox)).toBe(-1);
    }
  }
  await eventually("all to be closed", () => descriptors().size <= before); // an ending thread keeps two for a moment
}, 300_000); // 3 s on an idle machine
