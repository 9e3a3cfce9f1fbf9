import { expect, test } from "bun:test";
import { loadSyscalls } from "@xsocket/xbind-native";
import { SharedLock } from "../memory/lock.ts";
import { createMemory, FIELD, STATE, THREAD, TOTAL } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { reclaim } from "./reclaim.ts";

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
  shared.set(CONNECTION, FIELD.account, shared.openAccount(1000));
  shared.set(CONNECTION, FIELD.state, STATE.busy);
  shared.move(CONNECTION, 1);
  const lock = new SharedLock(new Int32Array(memory.totals), TOTAL.lock, 1);
  return { shared, lock, closed, sys: { ...loadSyscalls(), close, tickDelete } };
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
