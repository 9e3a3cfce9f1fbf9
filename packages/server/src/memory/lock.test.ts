import { expect, test } from "bun:test";
import { SharedLock } from "./lock.ts";

const FREE = 0;

function lockOf(thread: number) {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const other = new SharedLock(words, 0, thread + 1);
  return { lock: new SharedLock(words, 0, thread), other, holder: () => words[0] };
}

test("during() holds the lock until its end", async () => {
  const { lock, holder } = lockOf(3);
  expect(await lock.during(() => holder())).not.toBe(FREE);
  expect(holder()).toBe(FREE);
});

test("during() waits until another thread releases the lock", async () => {
  const { lock, other } = lockOf(3);
  lock.acquire();
  let isHeld = true;
  setTimeout(() => {
    isHeld = false;
    lock.release();
  });
  expect(await other.during(() => isHeld)).toBe(false);
});

test.each([-1, 0, 3])("releaseFor(%d) releases the lock only if that thread holds it", (thread) => {
  const { lock, holder } = lockOf(thread);
  lock.acquire();
  lock.releaseFor(thread + 1);
  expect(holder()).not.toBe(FREE);
  lock.releaseFor(thread);
  expect(holder()).toBe(FREE);
});
