import { expect, test } from "bun:test";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { createMemory } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { Tick } from "./tick.ts";

/** What the timer is set to by waits that end so. */
function settings(timer: number, ...counts: number[]): number[] {
  const set: number[] = [];
  const tickSet = (_: number, ms: number) => set.push(ms);
  const sys = { ...loadSyscalls(), tickCreate: () => timer, tickSet };
  const tick = new Tick(sys, new Shared(createMemory(8, 1)), 0, () => {});
  for (const count of counts) tick.waited(count);
  return set;
}

test("the timer runs from the first work on until it interrupts a wait, and costs no call else", () => {
  expect(settings(1, 0, 3, 1, 0, 1, -errno.EINTR, -errno.EINTR, 0, 1)).toEqual([5, 0, 5]);
  expect(settings(-errno.EAGAIN, 1, -errno.EINTR)).toEqual([]);
});
