import { expect, spyOn, test } from "bun:test";
import { encode } from "@xsocket/protocol";
import { errno, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { WAKE_DATA } from "./_acceptor.ts";
import { EPOLL_CTL_DEL, EPOLLHUP, EPOLLIN } from "./_epoll.ts";
import { type Channel, COLLECT_STEPS, Loop } from "./_loop.ts";
import { createMemory, FIELD, type Memory, Shared, STATE, THREAD } from "./_memory.ts";
import { reclaim } from "./_reclaim.ts";
import type { Order } from "./_thread.ts";
import { fitBounds } from "./bounds.ts";
import { DEFAULT_POLICY } from "./policy/builtin.ts";
import { createQuotaMemory } from "./policy/quota.ts";

const DESCRIPTORS = 200;
const CONNECTION = 150; // no descriptor of this process is touched
const sys = loadSyscalls();

/** Thread 1 of two, on a kernel of our own. */
function threadOne(
  memory: Memory,
  orders: Order[],
  kernel: Partial<Syscalls>,
  send: Channel["send"] = () => {},
): Loop {
  const shared = new Shared(memory);
  shared.setThread(1, THREAD.wake, 0);
  shared.setThread(1, THREAD.epoll, 0);
  const bounds = fitBounds({ backlog: 1 }, DESCRIPTORS, 2);
  const policy = {
    policy: DEFAULT_POLICY,
    quotas: createQuotaMemory(DESCRIPTORS, 1, new SharedArrayBuffer(4)),
  };
  return new Loop(
    { ...sys, epollCtl: () => 0, close: () => 0, tickCreate: () => -1, ...kernel },
    {
      index: 1,
      listenFd: -1,
      memory,
      bounds,
      policy,
      logLevel: "error",
      about: { address: "@test", file: undefined, bounds, startedAt: 0 },
      auditFd: -1,
      uid: 0,
      gid: 0,
    },
    { take: () => orders.shift(), send },
  );
}

/** Memory with one idle connection. */
function idleConnection(owner: number): { memory: Memory; shared: Shared } {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  shared.set(CONNECTION, FIELD.state, STATE.idle);
  shared.set(CONNECTION, FIELD.owner, owner);
  shared.set(CONNECTION, FIELD.account, shared.openAccount(1));
  return { memory, shared };
}

/** Waits that end with events of the connection, then with an order to stop. */
function waitOnce(events: number, orders: Order[]): Syscalls["epollWait"] {
  const waits = [
    [events, CONNECTION],
    [EPOLLIN, WAKE_DATA],
  ];
  return (_, pairs) => {
    if (waits.length === 1) orders.push({ kind: "stop" });
    pairs.set(waits.shift() ?? []);
    return 1;
  };
}

/** Has the thread take one event of an idle connection, then an order to stop. Returns the state in between. */
function stateAfter(events: number, owner: number): number {
  const { memory, shared } = idleConnection(owner);
  shared.set(CONNECTION, FIELD.requests, 1);
  let state = -1;
  const orders: Order[] = [];
  const kernel = {
    epollWait: waitOnce(events, orders),
    eventfdTake: () => ((state = shared.get(CONNECTION, FIELD.state)), 0),
    poll: () => 0, // the peer of the connection that has the number now is there, and silent
    receivePacket: () => -errno.EAGAIN,
  };
  threadOne(memory, orders, kernel).run();
  return state;
}

test("a late event of a connection that was closed does not touch the next one with its number", () => {
  expect(stateAfter(EPOLLIN, 0)).toBe(STATE.idle); // it would wait in the wrong thread
  expect(stateAfter(EPOLLHUP, 0)).toBe(STATE.idle);
  expect(stateAfter(EPOLLHUP | EPOLLIN, 1)).toBe(STATE.idle);
});

test("a connection is not handed to a thread that dies at that moment", () => {
  const { memory, shared } = idleConnection(1);
  shared.setThread(0, THREAD.serves, 1);
  shared.setThread(1, THREAD.load, 5);
  const request = encode({ kind: "request", domain: 2, type: 1, protocol: 0 });
  const orders: Order[] = [];
  let requests = 2;
  let owner = -1;
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (requests < 0) orders.push({ kind: "stop" });
      pairs.set(requests-- > 0 ? [EPOLLIN, CONNECTION] : [EPOLLIN, WAKE_DATA]);
      return 1;
    },
    receivePacket: (_: number, bytes: Uint8Array) => (bytes.set(request), request.byteLength),
    socket: () => -errno.EMFILE,
    sendPacket: () => 8,
    sendQueue: () => 0,
    epollCtl(_: number, operation: number) {
      if (operation === EPOLL_CTL_DEL) void reclaim(sys, shared, 0); // of the thread that was chosen
      return 0;
    },
    eventfdTake() {
      owner = shared.get(CONNECTION, FIELD.owner);
      return 0;
    },
  };
  threadOne(memory, orders, kernel).run();
  expect(owner).toBe(1);
  expect(shared.thread(0, THREAD.inbox)).toBe(-1);
  expect(shared.connections()).toBe(0);
});

test("a connection that the kernel has no room to wait for is closed, and that is said", () => {
  const { memory, shared } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  const kernel = {
    epollWait: waitOnce(EPOLLIN, orders),
    eventfdTake: () => 0,
    receivePacket: () => -errno.EAGAIN,
    epollCtl: (_: number, _operation: number, fd: number) =>
      fd === CONNECTION ? -errno.ENOSPC : 0,
  };
  threadOne(memory, orders, kernel, (report) => {
    if (report.kind === "log") said.push(report.record.message);
  }).run();
  expect(said).toEqual([expect.stringContaining("epoll_ctl gives ENOSPC")]);
  expect(shared.connections()).toBe(0);
});

test("a thread that cannot wait ends, for one in its place, instead of asking for ever", () => {
  let waits = 0;
  const orders: Order[] = [];
  const epollWait = (_: number, pairs: Uint32Array) => {
    if (++waits === 1) return -errno.EINTR;
    if (waits === 2) return -errno.EPERM;
    orders.push({ kind: "stop" });
    pairs.set([EPOLLIN, WAKE_DATA]);
    return 1;
  };
  const loop = threadOne(createMemory(DESCRIPTORS, 2), orders, { epollWait, eventfdTake: () => 0 });
  expect(() => loop.run()).toThrow("epoll_wait: EPERM");
});

/** How often a thread collects garbage that has so many steps to do, then nothing for a moment, and so again. */
function collections(steps: number): number {
  const collect = spyOn(Bun, "gc").mockImplementation(() => undefined);
  const orders: Order[] = [];
  let done = 0;
  const epollWait = (_: number, pairs: Uint32Array) => {
    if (++done % (steps + 1) === 0) return -errno.EINTR;
    if (done > 2 * (steps + 1)) orders.push({ kind: "stop" });
    pairs.set([EPOLLIN, WAKE_DATA]);
    return 1;
  };
  threadOne(createMemory(DESCRIPTORS, 2), orders, { epollWait, eventfdTake: () => 0 }).run();
  const { length } = collect.mock.calls;
  collect.mockRestore();
  return length;
}

test("garbage is collected in the pauses after much work", () => {
  expect(collections(COLLECT_STEPS)).toBe(2);
  expect(collections(COLLECT_STEPS / 2)).toBe(1);
  expect(collections(10)).toBe(0);
});
