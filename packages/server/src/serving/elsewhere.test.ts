import { expect, test } from "bun:test";
import { POLLHUP } from "@xsocket/xbind-native";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { createMemory, FIELD, STATE, THREAD } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import { Elsewhere } from "./elsewhere.ts";

const DESCRIPTORS = 5001;
const OWN = 0;
const OTHER = 1;

interface How {
  /** Connections that have hung up. */
  readonly gone: readonly number[];
  /** Those with a socket that was not received. */
  readonly unread?: readonly number[];
  readonly threads?: number;
  /** Milliseconds for which the kernel is asked. */
  readonly takes?: number;
  /** Happens while the kernel is asked. */
  readonly meanwhile?: (shared: Shared) => void;
  readonly uncount?: (fd: number, isUnchanged: () => boolean) => boolean;
}

/** What thread 0 finds, with connections of account 5 by default, on a kernel and clock of our own. */
function elsewhere(fds: readonly number[], how: How) {
  const { gone, unread = [], threads = 2, takes = 0 } = how;
  const { meanwhile = () => {}, uncount } = how;
  const asked: number[] = [];
  let now = 100;
  const context = threadContext(threadOptions(createMemory(DESCRIPTORS, 2), DESCRIPTORS), {
    monotonic: () => now,
    sendQueue: (fd) => (unread.includes(fd) ? 768 : 0),
    pollMany(pairs, count) {
      for (let i = 0; i < count; i++) {
        const fd = pairs[2 * i] ?? -1;
        asked.push(fd);
        pairs[2 * i + 1] = gone.includes(fd) ? POLLHUP : 0;
      }
      now += takes;
      meanwhile(context.shared);
      return count;
    },
  });
  const { shared } = context;
  for (let thread = 0; thread < threads; thread++) shared.setThread(thread, THREAD.serves, 1);
  for (const fd of fds) {
    shared.set(fd, FIELD.state, STATE.idle);
    shared.set(fd, FIELD.owner, OTHER);
    shared.addConnection(fd);
    shared.set(fd, FIELD.account, 5);
    shared.touch(fd, fd);
  }
  const wait = (ms: number) => void (now += ms);
  return { others: new Elsewhere(context, uncount), shared, asked, wait };
}

test("counts connections of other threads that have hung up", () => {
  const { others } = elsewhere([10, 11, 12, 13], { gone: [10, 12] });
  expect([1, 2, 3].map((needed) => others.finds(5, needed))).toEqual([true, true, false]);
});

test.each([
  ["of its own", FIELD.owner, OWN, false],
  ["of another account", FIELD.account, 6, false],
  ["that is closed already", FIELD.state, STATE.free, false],
  ["that another thread is at work on", FIELD.state, STATE.busy, true],
  ["on its way to a thread", FIELD.state, STATE.moving, true],
])("a connection %s", (_, field, value, counts) => {
  const { others, shared } = elsewhere([10, 11], { gone: [10] });
  shared.set(10, field, value);
  expect(others.finds(5, 1)).toBe(counts);
});

test("takes the first account for no other", () => {
  const { others, shared } = elsewhere([10], { gone: [10] });
  expect(others.finds(0, 1)).toBe(false);
  shared.set(10, FIELD.account, 0);
  expect(others.finds(0, 1)).toBe(true);
});

test("counts one in its own inbox, and for all accounts that of any", () => {
  const { others, shared } = elsewhere([10], { gone: [10] });
  shared.set(10, FIELD.owner, OWN);
  shared.set(10, FIELD.state, STATE.moving);
  expect(others.finds(-1, 1)).toBe(true);
});

test("counts an evicted one, whose client is there", () => {
  const { others, shared } = elsewhere([10], { gone: [] });
  shared.set(10, FIELD.state, STATE.evicted);
  expect(others.finds(5, 1)).toBe(true);
});

test("does not count one whose client can still receive a socket", () => {
  const { others } = elsewhere([10], { gone: [10], unread: [10] });
  expect(others.finds(5, 1)).toBe(false);
});

test.each([
  ["is closed", (shared: Shared) => shared.set(10, FIELD.state, STATE.free)],
  ["is that of another connection", (shared: Shared) => shared.touch(10, 999)],
])("does not count a descriptor that %s when the kernel has answered", (_, meanwhile) => {
  expect(elsewhere([10], { gone: [10], meanwhile }).others.finds(5, 1)).toBe(false);
});

test("counts only what makes room", () => {
  const held = new Set([11]);
  const uncount = (fd: number) => held.delete(fd);
  const { others } = elsewhere([10, 11, 12], { gone: [10, 11, 12], uncount });
  expect([1, 2].map(() => others.finds(5, 1))).toEqual([true, false]);
});

test("asks nothing where no other thread serves", () => {
  const { others, asked } = elsewhere([10], { gone: [10], threads: 1 });
  expect([others.finds(5, 1), asked]).toEqual([false, []]);
});

test("pauses for a full account for a moment, and for no other", () => {
  const { others, wait } = elsewhere([10], { gone: [10], takes: 0.09 });
  others.finds(5, 2);
  others.pause(5);
  expect([others.finds(5, 1), others.finds(-1, 1)]).toEqual([false, true]);
  wait(1.6); // and the search for all took 0.09
  expect(others.finds(5, 1)).toBe(false);
  wait(0.2);
  expect(others.finds(5, 1)).toBe(true);
});

test("pauses for a bounded time when a search took long", () => {
  const { others, wait } = elsewhere([10], { gone: [10], takes: 50 });
  others.finds(5, 2);
  others.pause(5);
  wait(1.5);
  expect(others.finds(5, 1)).toBe(false);
  wait(1);
  expect(others.finds(5, 1)).toBe(true);
});

test("pauses no longer when somebody is refused meanwhile", () => {
  const { others, wait } = elsewhere([10], { gone: [10], takes: 0.1 });
  others.finds(5, 2);
  others.pause(5);
  wait(1.2);
  others.pause(5);
  wait(1.2);
  expect(others.finds(5, 1)).toBe(true);
});

test("finds one wherever it is in the table of a server that had thousands", () => {
  expect(elsewhere([5000], { gone: [5000] }).others.finds(5, 1)).toBe(true);
});

test("does not count on more than 64, which a thread that hangs would never close", () => {
  const fds = Array.from({ length: 80 }, (_, i) => 10 + i);
  const { others } = elsewhere(fds, { gone: fds });
  expect([64, 65].map((needed) => others.finds(5, needed))).toEqual([true, false]);
});

test("asks about a bounded number at once, and goes on behind them the next time", () => {
  const fds = Array.from({ length: 300 }, (_, i) => 10 + i);
  const { others, asked } = elsewhere(fds, { gone: [305] });
  expect([1, 2].map(() => others.finds(5, 1))).toEqual([false, true]);
  expect(asked.slice(0, 256)).toEqual(fds.slice(0, 256));
  expect(asked[256]).toBe(fds[256]);
});
