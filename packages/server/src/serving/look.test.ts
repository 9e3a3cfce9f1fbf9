import { expect, test } from "bun:test";
import { EPOLLIN } from "@xsocket/xbind-native";
import { DESCRIPTORS, threadOne } from "../../test/loop.ts";
import { createMemory, THREAD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { WAKE_DATA } from "./acceptor.ts";
import type { Order } from "./thread.ts";

/** The microseconds that a thread polls for events in each wait, when the other has so many connections. */
function looks(load: number, gapsMs: readonly number[]): number[] {
  const memory = createMemory(DESCRIPTORS, 2);
  const orders: Order[] = [];
  const lookUs: number[] = [];
  let now = 0;
  const shared = new Shared(memory);
  for (const [thread, count] of [load, 1].entries()) shared.addToThread(thread, THREAD.load, count);
  const kernel = {
    monotonic: () => now,
    epollWait(_: number, pairs: Uint32Array, _max: number, _waitMs: number, us: number) {
      now += gapsMs[lookUs.length] ?? 0;
      lookUs.push(us);
      if (lookUs.length === gapsMs.length) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, WAKE_DATA]);
      return 1;
    },
  };
  threadOne(memory, orders, kernel).run();
  return lookUs;
}

test("polls before sleeping while events come quickly and no other thread has work", () => {
  expect(looks(0, [0.099, 0.099, 0.101, 0.099, 0])).toEqual([0, 100, 100, 0, 100]);
  expect(looks(1, [0.099, 0.099, 0.101, 0.099, 0])).toEqual([0, 0, 0, 0, 0]);
});

test("does not poll for a while after polling has cost it its processor", () => {
  expect(looks(0, [0, 0, 3, 0, 0, 100, 0, 0])).toEqual([0, 100, 100, 0, 0, 0, 0, 100]);
  expect(looks(0, [0, 0, 0.9, 0, 0, 100, 0, 0])).toEqual([0, 100, 100, 0, 100, 100, 0, 0]);
});
