import { expect, test } from "bun:test";
import { connectionsAt } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, createMemory, FIELD, STATE } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";

const DESCRIPTORS = 300;

test("closes at most 64 timed-out connections in one call", () => {
  const closed: number[] = [];
  let now = 0;
  const kernel = {
    monotonic: () => now,
    poll: (fd: number) => Number(fd === 249), // its request is there but not read yet
    close: (fd: number) => closed.push(fd),
  };
  const memory = createMemory(DESCRIPTORS, 1);
  const { connections, options } = connectionsAt(0, memory, kernel);
  for (let fd = 100; fd < 250; fd++) {
    connections.open(fd);
    connections.release(fd, STATE.fresh);
  }
  now = options.bounds.firstRequestMs;
  const looks = Array.from({ length: 3 }, () => {
    connections.timeLimits.check();
    return { closed: closed.length, waitMs: connections.timeLimits.waitMs() };
  });
  expect(looks).toEqual([
    { closed: 64, waitMs: 0 },
    { closed: 128, waitMs: 0 },
    { closed: 149, waitMs: now / 4 },
  ]);
  expect(new Shared(memory).sum(COUNTER.timedOut)).toBe(149);
});

test("closes a client that does not receive its reply within the bound", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const shared = new Shared(memory);
  let now = 1e6;
  const kernel = { monotonic: () => now, sendQueue: () => 768, close: () => 0 };
  const { connections, options } = connectionsAt(0, memory, kernel);
  connections.open(100);
  shared.flight.setUnread(100, UNREAD.plain);
  connections.release(100, STATE.idle);
  const states = Array.from({ length: 4 }, () => {
    now += options.bounds.takeReplyMs / 4;
    connections.timeLimits.check();
    return shared.get(100, FIELD.state);
  });
  expect(states).toEqual([STATE.idle, STATE.idle, STATE.idle, STATE.free]);
});

test("a finished connection waits for its reply to be received without timeout", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const shared = new Shared(memory);
  let now = 0;
  const kernel = {
    monotonic: () => now,
    sendQueue: () => 768,
    shutdown: () => 0,
    dropPackets: () => 0,
  };
  const { connections, options } = connectionsAt(0, memory, kernel);
  connections.open(100);
  shared.flight.setUnread(100, UNREAD.socket);
  connections.end(100);
  now = options.bounds.takeReplyMs;
  connections.timeLimits.check();
  expect([shared.get(100, FIELD.state), connections.timeLimits.waitMs()]).toEqual([
    STATE.lingering,
    -1,
  ]);
  expect(shared.sum(COUNTER.timedOut)).toBe(0);
});
