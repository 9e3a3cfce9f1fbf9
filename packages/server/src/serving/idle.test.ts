import { expect, test } from "bun:test";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD, STATE } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { IdleOrder } from "./idle.ts";

const DESCRIPTORS = 300;

/** Idle connections of two accounts, used in this order. */
function idleConnections(order: readonly number[]): Shared {
  const shared = new Shared(createMemory(DESCRIPTORS, 1));
  for (const [i, fd] of order.entries()) {
    shared.set(fd, FIELD.state, STATE.idle);
    shared.addConnection(fd);
    shared.set(fd, FIELD.account, fd % 2);
    shared.touch(fd, i);
  }
  return shared;
}

const nothingSettled = () => false;

const ORDER = Array.from({ length: 200 }, (_, i) => (i * 77) % 200);

/** Finds and marks a connection as evict() does. */
function take(shared: Shared, order: IdleOrder, account: number): number {
  const fd = order.oldest(account);
  if (fd >= 0) shared.set(fd, FIELD.state, STATE.evicted);
  return fd;
}

test("returns the least recently used connection first, over many searches", () => {
  const shared = idleConnections(ORDER);
  const order = new IdleOrder(shared, () => 0, nothingSettled);
  expect(ORDER.map(() => take(shared, order, -1))).toEqual(ORDER);
  expect(take(shared, order, -1)).toBe(-1);
});

test("returns only connections of the account", () => {
  const shared = idleConnections(ORDER);
  const order = new IdleOrder(shared, () => 0, nothingSettled);
  const odd = ORDER.filter((fd) => fd % 2 === 1);
  expect(odd.map(() => take(shared, order, 1))).toEqual(odd);
});

test("skips a connection that was used since the search", () => {
  const shared = idleConnections([5, 6, 7]);
  const order = new IdleOrder(shared, () => 0, nothingSettled);
  expect(take(shared, order, -1)).toBe(5);
  shared.touch(6, 100);
  expect(take(shared, order, -1)).toBe(7);
  expect(take(shared, order, -1)).toBe(6);
});

test("does not return a connection with an unread socket", () => {
  const shared = idleConnections([5, 6, 7, 8]);
  for (const fd of [5, 6, 7]) shared.flight.setUnread(fd, UNREAD.socket);
  const settleSeven = () => shared.flight.settle(7, () => true);
  const order = new IdleOrder(shared, () => 0, settleSeven);
  expect(take(shared, order, -1)).toBe(8);
  expect(take(shared, order, -1)).toBe(7); // settled now, since no other is left
  expect(take(shared, order, -1)).toBe(-1);
  expect(shared.flight.inFlight()).toBe(2);
});

test("waits before searching again after a search without result", () => {
  const shared = idleConnections([9]);
  shared.set(9, FIELD.state, STATE.busy);
  let now = 10;
  const order = new IdleOrder(shared, () => now, nothingSettled);
  expect(order.oldest(-1)).toBe(-1);
  shared.set(9, FIELD.state, STATE.idle);
  expect(order.oldest(-1)).toBe(-1);
  now = 20;
  expect(order.oldest(-1)).toBe(9);
});

test("waits per account after searches without result", () => {
  const shared = idleConnections([6, 7]);
  let now = 10;
  const order = new IdleOrder(shared, () => now, nothingSettled);
  for (const fd of [6, 7]) shared.set(fd, FIELD.state, STATE.busy);
  expect([order.oldest(0), order.oldest(1)]).toEqual([-1, -1]);
  for (const fd of [6, 7]) shared.set(fd, FIELD.state, STATE.idle);
  expect([order.oldest(0), order.oldest(1)]).toEqual([-1, -1]);
  now = 20;
  expect([order.oldest(0), order.oldest(1)]).toEqual([6, 7]);
});
