import { expect, test } from "bun:test";
import { POLLHUP, POLLIN, type Syscalls } from "@xsocket/xbind-native";
import { connectionsAt, openIdle } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, createMemory, FIELD, STATE, THREAD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";

const DESCRIPTORS = 300;
const OWNER = 1; // of those that thread 0 makes room by

/** Idle connections of two accounts, used in this order. `evict` tells which one makes room, -1 for none. */
function idleConnections(order: readonly number[], kernel: Partial<Syscalls> = {}) {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  for (const [i, fd] of order.entries()) {
    shared.set(fd, FIELD.state, STATE.idle);
    shared.set(fd, FIELD.owner, OWNER);
    shared.addConnection(fd);
    shared.set(fd, FIELD.account, fd % 2);
    shared.touch(fd, i);
  }
  const usual = { monotonic: () => 0, poll: () => 0, sendQueue: () => 768, eventfdAdd: () => 0 };
  const { idle } = connectionsAt(0, memory, { ...usual, ...kernel });
  const evict = (account: number) => (idle.evict(account, 1) ? shared.takePosted(OWNER) : -1);
  return { shared, evict };
}

const ORDER = Array.from({ length: 200 }, (_, i) => (i * 77) % 200);

test("evicts the least recently used connection first, over many searches", () => {
  const { evict } = idleConnections(ORDER);
  expect(ORDER.map(() => evict(-1))).toEqual(ORDER);
  expect(evict(-1)).toBe(-1);
});

test("evicts only connections of the account", () => {
  const { evict } = idleConnections(ORDER);
  const odd = ORDER.filter((fd) => fd % 2 === 1);
  expect(odd.map(() => evict(1))).toEqual(odd);
});

test("skips a connection that was used since the search", () => {
  const { shared, evict } = idleConnections([5, 6, 7]);
  expect(evict(-1)).toBe(5);
  shared.touch(6, 100);
  expect(evict(-1)).toBe(7);
  expect(evict(-1)).toBe(6);
});

test("does not evict a connection with an unread socket", () => {
  const { shared, evict } = idleConnections([5, 6, 7, 8], {
    sendQueue: (fd) => (fd === 7 ? 0 : 768),
  });
  for (const fd of [5, 6, 7]) shared.flight.setUnread(fd, UNREAD.socket);
  expect(evict(-1)).toBe(8);
  expect(shared.flight.inFlight()).toBe(3);
  expect(evict(-1)).toBe(7); // settled now, since no other is left
  expect(evict(-1)).toBe(-1);
  expect(shared.flight.inFlight()).toBe(2);
});

test("does not evict a connection whose next request has arrived", () => {
  const asked = new Set([5, 7, 8]);
  const poll = (fd: number, events: number) =>
    (asked.has(fd) ? POLLIN & events : 0) | (fd === 8 ? POLLHUP : 0);
  const { evict } = idleConnections([5, 6, 7, 8], { poll });
  expect(evict(-1)).toBe(6);
  expect(evict(-1)).toBe(8); // its client has gone since
  expect(evict(-1)).toBe(-1);
});

test("evicts one that has not asked, even if many have that are idle for longer", () => {
  const asked = new Set(ORDER.slice(0, 150));
  const { evict } = idleConnections(ORDER, { poll: (fd) => (asked.has(fd) ? POLLIN : 0) });
  const others = ORDER.slice(150);
  expect(others.map(() => evict(-1))).toEqual(others);
  expect(evict(-1)).toBe(-1);
});

test("waits before searching again after a search without result", () => {
  let now = 10;
  const { shared, evict } = idleConnections([9], { monotonic: () => now });
  shared.set(9, FIELD.state, STATE.busy);
  expect(evict(-1)).toBe(-1);
  shared.set(9, FIELD.state, STATE.idle);
  expect(evict(-1)).toBe(-1);
  now = 20;
  expect(evict(-1)).toBe(9);
});

test("waits per account after searches without result", () => {
  let now = 10;
  const { shared, evict } = idleConnections([6, 7], { monotonic: () => now });
  for (const fd of [6, 7]) shared.set(fd, FIELD.state, STATE.busy);
  expect([evict(0), evict(1)]).toEqual([-1, -1]);
  for (const fd of [6, 7]) shared.set(fd, FIELD.state, STATE.idle);
  expect([evict(0), evict(1)]).toEqual([-1, -1]);
  now = 20;
  expect([evict(0), evict(1)]).toEqual([6, 7]);
});

test("evicts an idle connection once and counts it out once", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const shared = new Shared(memory);
  const closed: number[] = [];
  const kernel = { monotonic: () => 0, close: (fd: number) => closed.push(fd) };
  const { connections, idle } = connectionsAt(0, memory, kernel);
  connections.open(101);
  openIdle(connections, 100);
  expect([idle.evict(-1, 1), idle.evict(-1, 1)]).toEqual([true, false]);
  expect(closed).toEqual([100]);
  expect([shared.connections(), shared.thread(0, THREAD.load)]).toEqual([1, 0]);
  expect(shared.sum(COUNTER.evicted)).toBe(1);
});

test.each([0, 1])(
  "does not evict a connection that thread %i is serving, but the next one",
  (owner) => {
    const memory = createMemory(DESCRIPTORS, 2);
    const shared = new Shared(memory);
    const kernel: Partial<Syscalls> = {
      monotonic: () => 0,
      close: () => 0,
      eventfdAdd: () => 0,
      poll(fd) {
        if (fd === 100) shared.set(fd, FIELD.state, STATE.busy); // just before it would be closed
        return 0;
      },
    };
    const threads = [connectionsAt(0, memory, kernel), connectionsAt(1, memory, kernel)];
    for (const fd of [100, 101]) if (threads[owner]) openIdle(threads[owner].connections, fd);
    expect(threads[0]?.idle.evict(-1, 1)).toBe(true);
    expect(shared.get(100, FIELD.state)).toBe(STATE.busy);
    expect(shared.get(101, FIELD.state)).toBe(owner === 0 ? STATE.free : STATE.evicted);
    expect(shared.sum(COUNTER.evicted)).toBe(1);
  },
);

/* Another one may have been admitted in its place already. */
test.each([
  [1, [100], [100], true],
  [2, [100], [100, 101], true],
  [2, [100, 101], [100, 101], true],
  [3, [100, 101], [100, 101, 102], true],
  [4, [100, 101, 102], [100, 101, 102], false],
])("where there are %i too many, and %p have gone, evicts %p", (excess, gone, evicted, hasRoom) => {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  let now = 0;
  const kernel: Partial<Syscalls> = {
    monotonic: () => now++,
    poll: (fd) => (gone.includes(fd) ? POLLHUP : 0),
    eventfdAdd: () => 0,
  };
  const beside = connectionsAt(1, memory, kernel).connections;
  for (const fd of [100, 101, 102]) openIdle(beside, fd);
  expect(connectionsAt(0, memory, kernel).idle.evict(-1, excess)).toBe(hasRoom);
  const isEvicted = (fd: number) => shared.get(fd, FIELD.state) === STATE.evicted;
  expect([100, 101, 102].filter(isEvicted)).toEqual(evicted);
});

/* A connection in the inbox may count by rules that the thread does not have yet, and would not be counted out. */
test("does not evict a connection that is in the inbox", () => {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  const kernel = { monotonic: () => 0, close: () => 0 };
  const { connections, idle } = connectionsAt(0, memory, kernel);
  const beside = connectionsAt(1, memory, kernel).connections;
  shared.setThread(0, THREAD.serves, 1);
  openIdle(connections, 100);
  beside.open(101);
  shared.move(101, 0);
  expect([idle.evict(-1, 1), idle.evict(-1, 1)]).toEqual([true, false]);
  expect(shared.get(101, FIELD.state)).toBe(STATE.moving);
});
