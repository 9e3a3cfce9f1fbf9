import { heapSize } from "bun:jsc";
import { expect, test } from "bun:test";
import { WatchList } from "./watch.ts";

test("keeps a number once however often it is added", () => {
  const list = new WatchList(100, 10);
  for (let now = 0; now < 50; now++) list.add(7, now);
  list.add(8, 60);
  expect(list.size).toBe(2);
  expect([list.waitMs(60), list.waitMs(59.5)]).toEqual([40, 41]); // rounded up, else the wait ends too early
  expect([list.take(99), list.take(100), list.take(100)]).toEqual([-1, 7, -1]);
  list.add(7, 110);
  expect([list.take(160), list.take(209), list.take(210)]).toEqual([8, -1, 7]);
  expect([list.size, list.waitMs(300), list.take(300)]).toEqual([0, -1, -1]);
});

test("returns thousands of numbers each at its time", () => {
  const list = new WatchList(10, 5000);
  for (let fd = 0; fd < 5000; fd++) list.add(fd, fd);
  for (let fd = 0; fd < 5000; fd++)
    expect([list.take(fd + 9), list.take(fd + 10)]).toEqual([-1, fd]);
  expect(list.size).toBe(0);
});

test("takes no more room however many numbers come and go", () => {
  const list = new WatchList(10, 10);
  Bun.gc(true);
  const before = heapSize();
  for (let now = 0; now < 1e6; now += 10) {
    list.add(7, now);
    list.take(now + 10);
  }
  Bun.gc(true);
  expect(heapSize() - before).toBeLessThan(1e6);
  expect(list.size).toBe(0);
});
