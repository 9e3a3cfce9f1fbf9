import { expect, spyOn, test } from "bun:test";
import { EPOLL_CTL_DEL, EPOLLHUP, EPOLLIN, errno, POLLHUP } from "@xsocket/xbind-native";
import {
  CONNECTION,
  DESCRIPTORS,
  idleConnection,
  logTo,
  receiveRequest,
  serveReady,
  threadAt,
  threadOne,
  waitForOrder,
} from "../../test/loop.ts";
import { threadOptions } from "../../test/thread.ts";
import { createMemory, FIELD, STATE, THREAD } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";
import { createQuotaMemory, Quotas } from "../policy/quota.ts";
import { plainRule } from "../policy/rule.ts";
import { ACCEPTS, LISTEN_DATA, WAKE_DATA } from "./acceptor.ts";
import { COLLECT_STEPS, EVENTS } from "./loop.ts";
import type { Order } from "./thread.ts";

test("answers a connection handed over after the order to stop, and takes none after that", () => {
  const { memory, shared } = idleConnection(0);
  const orders: Order[] = [{ kind: "stop" }];
  const moved: boolean[] = [];
  const answered: number[] = [];
  const kernel = {
    epollWait: waitForOrder,
    monotonic() {
      // after the order, before the end
      if (orders.length === 0 && moved.length === 0) moved.push(shared.move(CONNECTION, 1));
      return 0;
    },
    receivePacket: receiveRequest,
    socket: () => -errno.EMFILE,
    sendPacket: (fd: number) => answered.push(fd),
  };
  threadOne(memory, orders, kernel).run();
  expect([moved, answered]).toEqual([[true], [CONNECTION]]);
  expect([shared.connections(), shared.thread(1, THREAD.inbox)]).toEqual([0, -1]);
  expect(shared.move(CONNECTION, 1)).toBe(false);
});

/** Rules that allow one connection, and a thread that counts one by them. */
function oneConnection({ lock }: Shared) {
  const rule = plainRule("one", { connections: 1 });
  const quotas = createQuotaMemory(DESCRIPTORS);
  const counts = new Quotas(quotas, lock);
  return {
    policy: { policy: { source: "the test", rules: [rule] }, quotas },
    take: (fd: number) => counts.take(rule, 0, 1, fd, 0),
  };
}

test("counts out an evicted connection by the new rules", () => {
  const { memory, shared } = idleConnection(1);
  const { policy, take } = oneConnection(shared);
  const refusals = [take(CONNECTION), take(CONNECTION + 1)]; // in the thread that has handed it over
  shared.evict(CONNECTION);
  const kernel = {
    epollWait: waitForOrder,
  };
  threadOne(memory, [{ kind: "policy", policy }, { kind: "stop" }], kernel).run();
  expect([...refusals, take(CONNECTION + 1)]).toEqual([undefined, "connections", undefined]);
});

test("learns the rules by which a connection counts before it serves it", () => {
  const { memory, shared } = idleConnection(0);
  const { policy, take } = oneConnection(shared);
  const orders: Order[] = [];
  const found: unknown[] = [];
  using _ = spyOn(orders, "shift").mockImplementationOnce(() => {
    // just after it has looked for orders, another thread follows new rules and hands a connection over
    orders.push({ kind: "policy", policy });
    found.push(take(CONNECTION), shared.move(CONNECTION, 1));
    return undefined;
  });
  const waits = [[WAKE_DATA], [CONNECTION, WAKE_DATA]];
  const kernel = {
    epollWait(_epoll: number, pairs: Uint32Array) {
      const ready = waits.shift();
      if (!ready) orders.push({ kind: "stop" });
      const events = (ready ?? [WAKE_DATA]).flatMap((data) => [EPOLLIN, data]);
      pairs.set(events);
      return events.length / 2;
    },
    receivePacket: () => 0, // its client is gone
  };
  threadOne(memory, orders, kernel).run();
  expect([...found, shared.connections(), take(CONNECTION + 1)]).toEqual([
    undefined,
    true,
    0,
    undefined,
  ]);
});

test("throws when epoll_wait fails other than by EINTR", () => {
  let waits = 0;
  const orders: Order[] = [];
  const epollWait = (_: number, pairs: Uint32Array) => {
    if (++waits === 1) return -errno.EINTR;
    if (waits === 2) return -errno.EPERM;
    orders.push({ kind: "stop" });
    pairs.set([EPOLLIN, WAKE_DATA]);
    return 1;
  };
  const loop = threadOne(createMemory(DESCRIPTORS, 2), orders, { epollWait });
  expect(() => loop.run()).toThrow("epoll_wait: EPERM");
});

test.each([1, EVENTS])(
  "an exception elsewhere leaves a connection served before it alone (%d ready)",
  (count) => {
    const { memory, shared } = idleConnection(1);
    shared.setThread(0, THREAD.serves, 1);
    shared.setThread(1, THREAD.load, 5);
    const first = spyOn(Math, "random").mockReturnValue(0); // a step begins with its first event
    const orders: Order[] = [];
    const said: string[] = [];
    const ready = Array.from({ length: count }, (_, i) => [EPOLLIN, CONNECTION + 1 + i - count]);
    const waits = [ready.flat()];
    let isServed = false;
    let state = -1;
    const kernel = {
      epollWait(_: number, pairs: Uint32Array) {
        const events = waits.shift() ?? [EPOLLIN, WAKE_DATA];
        pairs.set(events);
        return events.length / 2;
      },
      receivePacket: receiveRequest,
      socket: () => -errno.EMFILE,
      sendQueue: () => 0,
      eventfdAdd: () => 0,
      eventfdTake() {
        if (!isServed) {
          isServed = true;
          shared.set(CONNECTION, FIELD.state, STATE.busy); // the other thread is already serving it
          throw new Error("on demand");
        }
        state = shared.get(CONNECTION, FIELD.state);
        orders.push({ kind: "stop" });
        return 0;
      },
    };
    threadOne(memory, orders, kernel, logTo(said)).run();
    first.mockRestore();
    expect([shared.get(CONNECTION, FIELD.owner), state]).toEqual([0, STATE.busy]);
    expect(said).toContain("an exception ended what its thread was at: Error: on demand");
  },
);

test("waits no longer than until the first deadline", () => {
  const memory = createMemory(DESCRIPTORS, 2);
  const orders: Order[] = [];
  const lookMs = threadOptions(memory, DESCRIPTORS).bounds.firstRequestMs / 4;
  const failure = [-errno.EMFILE, -errno.EAGAIN] as const; // then there is a pause of 100 ms
  const accepts = [CONNECTION, -errno.EAGAIN, ...failure, ...failure];
  const times = [0, lookMs - 160, lookMs - 50, lookMs - 50, lookMs];
  const waits: number[] = [];
  let now = 0;
  const kernel = {
    monotonic: () => now,
    epollWait(_: number, pairs: Uint32Array, _max: number, waitMs: number) {
      if (waitMs === 0) return 0; // a look for clients that have gone
      now = times[waits.length] ?? Infinity;
      waits.push(waitMs);
      if (waits.length === times.length) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, waits.length === 3 || orders.length > 0 ? WAKE_DATA : LISTEN_DATA]);
      return 1;
    },
    getsockopt: () => 12,
    poll: () => 0,
    accept: () => accepts.shift() ?? -errno.EAGAIN,
    receivePacket: () => -errno.EAGAIN,
  };
  threadAt(0, memory, orders, kernel).run();
  expect(waits).toEqual([-1, lookMs, 100, 50, 50, 20]); // the last for a client that has connected but sent no request
});

test("ends connections that are over before it accepts new ones", () => {
  const { memory } = idleConnection(0);
  const orders: Order[] = [];
  const steps: string[] = [];
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (steps.length > 0) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, LISTEN_DATA, EPOLLIN | EPOLLHUP, CONNECTION, EPOLLIN, WAKE_DATA]);
      return 3;
    },
    poll: () => POLLHUP,
    accept: () => (steps.push("accept"), -errno.EAGAIN),
    close: () => (steps.push("end"), 0),
  };
  threadAt(0, memory, orders, kernel).run();
  expect(steps.slice(0, 2)).toEqual(["end", "accept"]);
});

test("a stopping thread does not wake for calls of the main thread", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.fresh);
  const orders: Order[] = [];
  let now = 0;
  let waits = 0;
  let isHeard = true;
  const kernel = {
    monotonic: () => now,
    epollCtl: (_: number, operation: number, _fd: number, _events: number, data: number) => {
      if (data === WAKE_DATA) isHeard = operation !== EPOLL_CTL_DEL;
      return 0;
    },
    epollWait(_: number, pairs: Uint32Array, _max: number, waitMs: number) {
      if (waits++ === 0) orders.push({ kind: "stop" });
      if (!isHeard || waits > 9) now += waitMs;
      pairs.set([EPOLLIN, WAKE_DATA]);
      return Number(isHeard);
    },
    receivePacket: () => -errno.EAGAIN,
  };
  threadOne(memory, orders, kernel).run();
  expect(waits).toBe(11); // ten parts of its last time after the first one
});

test("a stopping thread looks only at the connections that are ready", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.fresh);
  const orders: Order[] = [];
  const looks: number[] = [];
  let now = 0;
  const kernel = {
    monotonic: () => now,
    epollWait(_: number, pairs: Uint32Array) {
      if (now++ === 0) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, now === 1 ? WAKE_DATA : CONNECTION + 1]);
      return 1;
    },
    receivePacket: () => (looks.push(now), -errno.EAGAIN),
  };
  threadOne(memory, orders, kernel).run();
  expect(looks).toEqual([1]); // when it began to stop
  expect(now).toBe(201); // its last time is not shorter for waits of 1 ms
});

test("a stopping thread that is kept from its processor still answers what comes after that", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.fresh);
  const orders: Order[] = [];
  const looks: number[] = [];
  let now = 0;
  let waits = 0;
  const kernel = {
    monotonic: () => now,
    epollWait(_: number, pairs: Uint32Array, _max: number, waitMs: number) {
      if (waits++ === 0) orders.push({ kind: "stop" });
      else now += waits === 2 ? 2500 : waitMs;
      pairs.set([EPOLLIN, waits === 1 ? WAKE_DATA : CONNECTION]);
      return Number(waits === 1 || waits === 11);
    },
    receivePacket: () => (looks.push(waits), waits < 11 ? -errno.EAGAIN : 0),
  };
  threadOne(memory, orders, kernel).run();
  expect(looks).toEqual([1, 11]);
});

test("a stopping thread ends when its last connection has", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.fresh);
  const orders: Order[] = [];
  let waits = 0;
  const kernel = {
    monotonic: () => 0,
    epollWait(_: number, pairs: Uint32Array) {
      if (waits++ === 0) orders.push({ kind: "stop" });
      if (waits > 9) throw new Error("waits on");
      pairs.set([EPOLLIN, waits === 1 ? WAKE_DATA : CONNECTION]);
      return 1;
    },
    receivePacket: () => (waits < 3 ? -errno.EAGAIN : 0),
  };
  threadOne(memory, orders, kernel).run();
  expect([waits, shared.get(CONNECTION, FIELD.state)]).toEqual([3, STATE.free]);
});

/** Counts the garbage collections of a thread that has so many steps to do, then a pause, twice. */
function collections(steps: number): number {
  using collect = spyOn(Bun, "gc").mockImplementation(() => undefined);
  const orders: Order[] = [];
  let done = 0;
  const epollWait = (_: number, pairs: Uint32Array) => {
    if (++done % (steps + 2) === 0 || done % (steps + 2) > steps) return -errno.EINTR;
    if (done > 2 * (steps + 2)) orders.push({ kind: "stop" });
    pairs.set([EPOLLIN, WAKE_DATA]);
    return 1;
  };
  threadOne(createMemory(DESCRIPTORS, 2), orders, { epollWait }).run();
  return collect.mock.calls.length;
}

test("collects garbage in pauses after much work", () => {
  expect(collections(COLLECT_STEPS)).toBe(2);
  expect(collections(COLLECT_STEPS / 2)).toBe(1);
  expect(collections(10)).toBe(0);
});

test("accepts in every step when more events are ready than one wait returns", () => {
  expect(serveReady(3).accepts).toBe(3);
  expect(serveReady(3, { count: EVENTS - 1 }).accepts).toBe(0); // a new client would be among the events
  expect(serveReady(3, { accept: () => -errno.EMFILE }).accepts).toBe(2); // a pause follows
  const orderAt = 4;
  expect(serveReady(3, { first: [EPOLLHUP, LISTEN_DATA], orderAt }).accepts).toBe(1); // the listening socket was shut down
});

test("accepts clients that were queued when the listening socket was shut down", () => {
  const orders: Order[] = [];
  let queued = ACCEPTS + 1;
  const kernel = {
    epollCtl: (_: number, operation: number) =>
      operation === EPOLL_CTL_DEL ? orders.push({ kind: "stop" }) : 0,
    epollWait(_: number, pairs: Uint32Array) {
      pairs.set([EPOLLIN | EPOLLHUP, orders.length > 0 ? WAKE_DATA : LISTEN_DATA]);
      return 1;
    },
    accept: () => (queued === 0 ? -errno.EAGAIN : (queued--, DESCRIPTORS)),
    receivePacket: () => -errno.EAGAIN,
    close: () => 0,
  };
  threadAt(0, createMemory(DESCRIPTORS, 1), orders, kernel).run();
  expect(queued).toBe(0);
});

test("an exception in accept does not end the thread", () => {
  let left = 2;
  const accept = () => {
    if (left-- > 0) throw new RangeError("for a test");
    return -errno.EAGAIN;
  };
  expect(serveReady(3, { accept }).accepts).toBe(3);
});

test("takes orders and handed-over connections when more events are ready than one wait returns", () => {
  expect(serveReady(9, { orderAt: 3 }).waits).toBe(4);
  expect(serveReady(1, { moved: 180 }).moved).toBe(STATE.idle);
});
