import { expect, test } from "bun:test";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { createMemory, THREAD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { Tick } from "./tick.ts";

/** The values that the timer is set to by waits with these results. */
function settings(timer: number, ...counts: number[]): number[] {
  const set: number[] = [];
  const tickSet = (_: number, ms: number) => set.push(ms);
  const sys = { ...loadSyscalls(), tickCreate: () => timer, tickSet };
  const shared = new Shared(createMemory(8, 1));
  const tick = new Tick(sys, shared, 0, () => {});
  expect(shared.thread(0, THREAD.tick)).toBe(timer); // else nobody deletes it when the thread has died
  for (const count of counts) tick.waited(count);
  return set;
}

test("sets the timer at the first event and clears it when it interrupts a wait", () => {
  expect(settings(1, 0, 3, 1, 0, 1, -errno.EINTR, -errno.EINTR, 0, 1)).toEqual([5, 0, 5]);
  expect(settings(-errno.EAGAIN, 1, -errno.EINTR)).toEqual([]);
});

const OTHERS_MAX = 10; // waits that end for another reason: the process was stopped and goes on

test("a timer interrupts the waits of its thread until it is stopped", () => {
  const sys = loadSyscalls();
  const epollFd = sys.epollCreate();
  const timer = sys.tickCreate();
  const wait = (ms: number) => sys.epollWait(epollFd, new Uint32Array(2), 1, ms, 0);
  for (const [ms, times] of [
    [1020, 1],
    [20, 3],
  ] as const) {
    const begin = sys.monotonic();
    expect(sys.tickSet(timer, ms)).toBe(0);
    let waits = 0;
    for (; sys.monotonic() - begin < ms * times - 1; waits++) expect(wait(5000)).toBe(-errno.EINTR);
    expect(waits).toBeLessThan(times + OTHERS_MAX);
  }
  expect(sys.tickSet(timer, 0)).toBe(0);
  expect([wait(50), wait(50), wait(50)]).toContain(0);
  expect(sys.tickDelete(timer)).toBe(0);
  expect(sys.tickDelete(timer)).toBe(-errno.EINVAL);
  sys.close(epollFd);
});
