import { expect, spyOn, test } from "bun:test";
import { AF_PACKET, encode, SOCK_RAW } from "@xsocket/protocol";
import {
  EPOLL_CTL_DEL,
  EPOLLHUP,
  EPOLLIN,
  errno,
  loadSyscalls,
  POLLIN,
  SHUT_RD,
  type Syscalls,
} from "@xsocket/xbind-native";
import { threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import {
  COUNTER,
  createMemory,
  FIELD,
  FIELDS,
  type Memory,
  STATE,
  THREAD,
} from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { DEFAULT_POLICY } from "../policy/builtin.ts";
import { createQuotaMemory, Quotas } from "../policy/quota.ts";
import { plainRule } from "../policy/rule.ts";
import { reclaim } from "../pool/reclaim.ts";
import { ACCEPTS, LISTEN_DATA, WAKE_DATA } from "./acceptor.ts";
import { type Channel, COLLECT_STEPS, EVENTS, Loop } from "./loop.ts";
import type { Order } from "./thread.ts";

const DESCRIPTORS = 200;
const CONNECTION = 150; // no descriptor of this process is touched
const sys = loadSyscalls();
const PACKETS = plainRule("packet sockets", { families: [AF_PACKET], types: [SOCK_RAW] });
const POLICY = { ...DEFAULT_POLICY, rules: [...DEFAULT_POLICY.rules, PACKETS] };

const REQUEST = encode({ kind: "request", domain: 2, type: 1, protocol: 0 });

function receiveRequest(_: number, bytes: Uint8Array): number {
  bytes.set(REQUEST);
  return REQUEST.byteLength;
}

const KERNEL: Syscalls = {
  ...sys,
  epollCtl: () => 0,
  eventfdTake: () => 0,
  sendPacket: () => 8,
  close: () => 0,
  tickCreate: () => -1,
};

/** One of two threads, on a simulated kernel. */
function threadAt(
  index: number,
  memory: Memory,
  orders: Order[],
  kernel: Partial<Syscalls>,
  send: Channel["send"] = () => {},
): Loop {
  const shared = new Shared(memory);
  shared.setThread(index, THREAD.wake, 0);
  shared.setThread(index, THREAD.epoll, 0);
  return new Loop(
    { ...KERNEL, ...kernel },
    { ...threadOptions(memory, DESCRIPTORS, POLICY), index },
    { take: () => orders.shift(), send },
  );
}

function threadOne(...rest: Tail<Parameters<typeof threadAt>>): Loop {
  return threadAt(1, ...rest);
}

type Tail<List extends unknown[]> = List extends [unknown, ...infer Rest] ? Rest : never;

/** Memory with one idle connection. */
function idleConnection(owner: number): { memory: Memory; shared: Shared } {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  shared.set(CONNECTION, FIELD.state, STATE.idle);
  shared.set(CONNECTION, FIELD.owner, owner);
  shared.set(CONNECTION, FIELD.account, shared.openAccount(1));
  return { memory, shared };
}

/** Takes down what a thread logs. */
function logTo(said: string[]): Channel["send"] {
  return (report) => {
    if (report.kind === "log") said.push(report.record.message);
  };
}

/** A wait that ends with an order. */
function waitForOrder(_: number, pairs: Uint32Array): number {
  pairs.set([EPOLLIN, WAKE_DATA]);
  return 1;
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

/**
 * Has the thread take one event of a connection with so many requests, then an order to stop.
 * Returns the state in between, whether it was read from, and whether it is open at the end.
 */
function after(events: number, owner: number, before: number = STATE.idle, requests = 1) {
  const { memory, shared } = idleConnection(owner);
  shared.set(CONNECTION, FIELD.requests, requests);
  shared.set(CONNECTION, FIELD.state, before);
  shared.touch(CONNECTION, sys.monotonic());
  const found = { state: -1, isRead: false };
  const orders: Order[] = [];
  const kernel = {
    epollWait: waitOnce(events, orders),
    eventfdTake: () => ((found.state = shared.get(CONNECTION, FIELD.state)), 0),
    poll: () => 0, // the peer of the connection that has the number now is there, and silent
    receivePacket: (fd: number) => ((found.isRead = fd === CONNECTION), -errno.EAGAIN),
  };
  threadOne(memory, orders, kernel).run();
  return { ...found, isOpen: shared.get(CONNECTION, FIELD.state) !== STATE.free };
}

test("ignores a late event of a closed connection whose number is reused", () => {
  const untouched = { state: STATE.idle, isRead: false, isOpen: true };
  expect(after(EPOLLIN, 0)).toEqual(untouched); // reading would make it wait in the wrong thread
  expect(after(EPOLLHUP, 0)).toEqual(untouched);
  expect(after(EPOLLIN, 1, STATE.free)).toEqual({
    state: STATE.free,
    isRead: false,
    isOpen: false,
  });
  expect(after(EPOLLHUP | EPOLLIN, 1).state).toBe(STATE.idle);
  expect(after(EPOLLHUP | EPOLLIN, 1, STATE.fresh, 0).state).toBe(STATE.fresh); // its time for a request keeps running
});

test("keeps a connection when the thread chosen for it dies", () => {
  const { memory, shared } = idleConnection(1);
  shared.setThread(0, THREAD.serves, 1);
  shared.setThread(1, THREAD.load, 5);
  const orders: Order[] = [];
  let requests = 2;
  let owner = -1;
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (requests < 0) orders.push({ kind: "stop" });
      pairs.set(requests-- > 0 ? [EPOLLIN, CONNECTION] : [EPOLLIN, WAKE_DATA]);
      return 1;
    },
    receivePacket: receiveRequest,
    socket: () => -errno.EMFILE,
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

test("a stopping thread leaves a connection that another thread opens with the same number", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.free); // it was ours, and has ended
  const { load } = Atomics;
  /* Thread 0 opens a connection with this number just after the owner or the state was read. */
  const interrupted = (cells: Int32Array, at: number) => {
    const found = load(cells, at);
    const field = at - CONNECTION * FIELDS;
    if (cells.buffer !== memory.connections || (field !== FIELD.owner && field !== FIELD.state))
      return found;
    looking.mockRestore();
    shared.set(CONNECTION, FIELD.owner, 0);
    shared.set(CONNECTION, FIELD.state, STATE.fresh);
    return found;
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the cells are of this one type
  using looking = spyOn(Atomics, "load").mockImplementation(interrupted as typeof load);
  const kernel = {
    epollWait: waitForOrder,
    receivePacket: () => -errno.EAGAIN,
    poll: () => 0,
  };
  threadOne(memory, [{ kind: "stop" }], kernel).run();
  expect(shared.get(CONNECTION, FIELD.state)).toBe(STATE.fresh);
});

test("counts out an evicted connection by the new rules", () => {
  const { memory, shared } = idleConnection(1);
  const rule = plainRule("one", { connections: 1 });
  const policy = {
    policy: { source: "the test", rules: [rule] },
    quotas: createQuotaMemory(DESCRIPTORS),
  };
  const counts = new Quotas(policy.quotas);
  const take = (fd: number) => counts.take(rule, 0, 1, fd, 0);
  const refusals = [take(CONNECTION), take(CONNECTION + 1)]; // in the thread that has handed it over
  shared.evict(CONNECTION);
  const kernel = {
    epollWait: waitForOrder,
  };
  threadOne(memory, [{ kind: "policy", policy }, { kind: "stop" }], kernel).run();
  expect([...refusals, take(CONNECTION + 1)]).toEqual([undefined, "connections", undefined]);
});

test("a stopping thread shuts a connection for reading before it drops what was sent", () => {
  const { memory, shared } = idleConnection(1);
  shared.flight.setUnread(CONNECTION, UNREAD.plain);
  const calls: [call: string, how?: number][] = [];
  const kernel = {
    epollWait: waitForOrder,
    sendQueue: () => 100,
    poll: () => EPOLLIN,
    shutdown: (_: number, how: number) => (calls.push(["shutdown", how]), 0),
    dropPackets: () => (calls.push(["dropPackets"]), 0),
  };
  threadOne(memory, [{ kind: "stop" }], kernel).run();
  expect(calls).toEqual([["shutdown", SHUT_RD], ["dropPackets"]]); // the reply stays for the client to receive
});

test("does not count the end of a connection as malformed", () => {
  const { memory, shared } = idleConnection(1);
  const orders: Order[] = [];
  let left = -1;
  const kernel = {
    epollWait: waitOnce(EPOLLIN, orders),
    eventfdTake: () => ((left = shared.connections()), 0),
    receivePacket: () => 0,
  };
  threadOne(memory, orders, kernel).run();
  expect([left, shared.sum(COUNTER.malformed)]).toEqual([0, 0]);
});

test("counts a client held back for slow closes as refused", () => {
  const { memory, shared } = idleConnection(1);
  const request = encode({ kind: "request", domain: AF_PACKET, type: SOCK_RAW, protocol: 0 });
  const requests = Array.from({ length: 9 }, () => request); // eight are on credit
  const orders: Order[] = [];
  let now = 0;
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (requests.length === 0) orders.push({ kind: "stop" });
      pairs.set(requests.length > 0 ? [EPOLLIN, CONNECTION] : [EPOLLIN, WAKE_DATA]);
      return 1;
    },
    receivePacket(_: number, packet: Uint8Array) {
      const asked = requests.shift();
      packet.set(asked ?? []);
      return asked?.byteLength ?? -errno.EAGAIN;
    },
    socket: () => 99,
    close: () => ((now += 7), 0),
    poll: () => EPOLLHUP,
    sendQueue: () => 0,
    monotonic: () => now,
  };
  threadOne(memory, orders, kernel).run();
  const counts = [COUNTER.granted, COUNTER.refusedInFlight, COUNTER.failed];
  expect(counts.map((counter) => shared.sum(counter))).toEqual([8, 1, 0]);
});

test("closes and logs a connection that epoll has no room for", () => {
  const { memory, shared } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  let left = -1;
  const kernel = {
    epollWait: waitOnce(EPOLLIN, orders),
    eventfdTake: () => ((left = shared.connections()), 0), // before the end, which closes all
    receivePacket: () => -errno.EAGAIN,
    epollCtl: (_: number, _operation: number, fd: number) =>
      fd === CONNECTION ? -errno.ENOSPC : 0,
  };
  threadOne(memory, orders, kernel, logTo(said)).run();
  expect(said).toEqual([expect.stringContaining("epoll_ctl gives ENOSPC")]);
  expect(left).toBe(0);
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

test("logs a socket that a rule allows and the kernel forbids", () => {
  const { memory } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  let requests = 1;
  const kernel = {
    epollWait: waitOnce(EPOLLIN, orders),
    receivePacket: (fd: number, bytes: Uint8Array) =>
      requests-- > 0 ? receiveRequest(fd, bytes) : -errno.EAGAIN,
    socket: () => -errno.EPERM,
  };
  threadOne(memory, orders, kernel, logTo(said)).run();
  expect(said).toEqual([
    "the kernel does not let this server make AF_INET SOCK_STREAM IPPROTO_TCP (EPERM): a raw or packet socket needs CAP_NET_RAW",
  ]);
});

test("logs a lack of descriptors even in a second with many forbidden sockets", () => {
  const { memory } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  let left = 30; // more than are said in a second
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (left < 0) orders.push({ kind: "stop" });
      pairs.set(left < 0 ? [EPOLLIN, WAKE_DATA] : [EPOLLIN, CONNECTION]);
      return 1;
    },
    sendQueue: () => 0,
    receivePacket: receiveRequest,
    socket: () => (left-- > 0 ? -errno.EPERM : -errno.EMFILE),
  };
  threadOne(memory, orders, kernel, logTo(said)).run();
  expect(said.filter((message) => !message.includes("EPERM"))).toEqual([
    "cannot make sockets for now: EMFILE. Raise the limit of open files (ulimit -n, LimitNOFILE=)",
  ]);
});

test("logs ETOOMANYREFS once until a socket is handed over", () => {
  const { memory } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  const answers = [false, false, true, false];
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (answers.length === 0) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, answers.length === 0 ? WAKE_DATA : CONNECTION]);
      return 1;
    },
    sendQueue: () => 0,
    receivePacket: receiveRequest,
    socket: () => CONNECTION + 1,
    sendPacket: (_: number, __: Uint8Array, length: number, socket: number) =>
      socket < 0 || answers.shift() ? length : -errno.ETOOMANYREFS,
  };
  threadOne(memory, orders, kernel, logTo(said)).run();
  const words = "cannot hand sockets over for now: ETOOMANYREFS. ";
  expect(said.map((message) => message.slice(0, words.length))).toEqual([words, words]);
});

test("an exception closes the connection and its new socket once each", () => {
  const { memory, shared } = idleConnection(1);
  const orders: Order[] = [];
  const closed: number[] = [];
  const kernel = {
    epollWait: waitOnce(EPOLLIN, orders),
    receivePacket: receiveRequest,
    socket: () => CONNECTION + 1,
    sendPacket() {
      throw new Error("on demand");
    },
    close: (fd: number) => closed.push(fd),
  };
  threadOne(memory, orders, kernel).run();
  expect(closed).toEqual([CONNECTION + 1, CONNECTION]);
  expect(shared.thread(1, THREAD.scratch)).toBe(-1);
  expect([shared.get(CONNECTION, FIELD.state), shared.connections()]).toEqual([STATE.free, 0]);
});

test.each([1, 2])("an exception in turn %d of a new connection closes it", (turn) => {
  const memory = createMemory(DESCRIPTORS, 1);
  const orders: Order[] = [];
  const accepts = [CONNECTION];
  const closed: number[] = [];
  const said: string[] = [];
  let turns = 0;
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (accepts.length === 0) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, accepts.length > 0 ? LISTEN_DATA : WAKE_DATA]);
      return 1;
    },
    accept: () => accepts.shift() ?? -errno.EAGAIN,
    getsockopt: () => 12,
    pollMany: (pairs: Int32Array) => ((pairs[1] = POLLIN), 1),
    eventfd: () => -errno.EMFILE,
    receivePacket: receiveRequest,
    sendQueue: () => 0,
    socket: () => CONNECTION + 1,
    sendPacket() {
      if (++turns === turn) throw new Error("on demand");
      return 8;
    },
    close: (fd: number) => closed.push(fd),
  };
  threadAt(0, memory, orders, kernel, logTo(said)).run();
  expect(closed).toEqual([...Array<number>(turn).fill(CONNECTION + 1), CONNECTION]);
  expect(said).toEqual(["an exception ended a connection: Error: on demand"]);
  expect(new Shared(memory).connections()).toBe(0);
});

test.each([1, EVENTS])(
  "an exception elsewhere leaves a connection served before it alone (%d ready)",
  (count) => {
    const { memory, shared } = idleConnection(1);
    shared.set(CONNECTION, FIELD.requests, 2);
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
      now = times[waits.length] ?? Infinity;
      waits.push(waitMs);
      if (waits.length === times.length) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, waits.length === 3 || orders.length > 0 ? WAKE_DATA : LISTEN_DATA]);
      return 1;
    },
    getsockopt: () => 12,
    poll: () => 0,
    accept: () => accepts.shift() ?? -errno.EAGAIN,
    eventfd: () => -errno.EMFILE,
    receivePacket: () => -errno.EAGAIN,
  };
  threadAt(0, memory, orders, kernel).run();
  expect(waits).toEqual([-1, lookMs, 100, 50, 50, 200]); // the last for a client that has connected but sent no request
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
  expect(waits).toBe(2);
});

/** The microseconds that a thread polls for events in each wait, when the other has so many connections. */
function looks(load: number, gapsMs: readonly number[]): number[] {
  const memory = createMemory(DESCRIPTORS, 2);
  const orders: Order[] = [];
  const lookUs: number[] = [];
  let now = 0;
  const shared = new Shared(memory);
  for (const [thread, count] of [load, 1].entries()) shared.addThread(thread, THREAD.load, count);
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

test("collects garbage in pauses after much work", () => {
  expect(collections(COLLECT_STEPS)).toBe(2);
  expect(collections(COLLECT_STEPS / 2)).toBe(1);
  expect(collections(10)).toBe(0);
});

/**
 * Has the accepting thread wait a few times, each time with the same connections ready: many of
 * one user, and behind them those of others, one by default. Then it is told to stop.
 *
 * @param first the events of a wait before those
 * @param orderAt the wait at which the order is already there, while its event is queued behind the others
 * @returns the turns and the state of each connection, the calls of accept, and the waits
 */
function serveReady(
  steps: number,
  options: {
    count?: number;
    state?: number;
    accept?: () => number;
    first?: readonly number[];
    orderAt?: number;
    moved?: number;
    others?: number;
  } = {},
) {
  const { count = EVENTS, state = STATE.idle, accept = () => -errno.EAGAIN } = options;
  const { first = [], orderAt = steps, moved = -1, others = 1 } = options;
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  const ready = Array.from({ length: count }, (_, i) => 100 + i);
  for (const fd of ready) {
    shared.set(fd, FIELD.state, state);
    shared.set(fd, FIELD.requests, 1);
    shared.set(fd, FIELD.account, shared.openAccount(ready.indexOf(fd) < count - others ? 1 : 2));
  }
  const turns = new Map(ready.map((fd) => [fd, 0]));
  const orders: Order[] = [];
  const waits = [
    ...(first.length > 0 ? [first] : []),
    ...Array.from({ length: steps }, () => ready.flatMap((fd) => [EPOLLIN, fd])),
    [EPOLLIN, WAKE_DATA],
  ];
  const found = { turns: [0], states: [0], moved: -1, accepts: 0, waits: 0 };
  let accepts = 0;
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (found.waits === 0 && moved >= 0) shared.move(moved, 0);
      if (found.waits++ === orderAt) orders.push({ kind: "stop" });
      const events = waits.shift() ?? [];
      pairs.set(events);
      return events.length / 2;
    },
    receivePacket: (fd: number) => (turns.set(fd, (turns.get(fd) ?? 0) + 1), -errno.EAGAIN),
    accept: () => (accepts++, accept()),
    eventfd: () => -errno.EMFILE,
    eventfdTake() {
      found.turns = [...turns.values()];
      found.states = ready.map((fd) => shared.get(fd, FIELD.state));
      if (moved >= 0) found.moved = shared.get(moved, FIELD.state);
      found.accepts = accepts;
      return 0;
    },
  };
  threadAt(0, memory, orders, kernel).run();
  return found;
}

const sum = (turns: readonly number[]) => turns.reduce((one, other) => one + other, 0);

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
    eventfd: () => -errno.EMFILE,
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

test("each user gets a share of the turns when more events are ready than one wait returns", () => {
  const { turns, states } = serveReady(10);
  expect(turns.at(-1)).toBe(10);
  expect(sum(turns.slice(0, -1))).toBe(10 * 4);
  expect(new Set(states)).toEqual(new Set([STATE.idle]));
  expect(serveReady(10, { count: EVENTS - 1 }).turns).toEqual(Array(EVENTS - 1).fill(10));
});

test("a sole user gets every turn", () => {
  expect(serveReady(10, { others: 0 }).turns).toEqual(Array(EVENTS).fill(10));
});

test("each of a user's many connections gets a turn despite a constant order of events", () => {
  expect(serveReady(1000).turns).not.toContain(0); // by chance once in 10^26 times
});

test("a new connection without a turn stays a new one", () => {
  const { turns, states } = serveReady(1, { state: STATE.fresh });
  const passedOver = states.filter((_, i) => turns[i] === 0);
  expect(passedOver).toEqual(Array(EVENTS - 5).fill(STATE.fresh));
});

test("a connection without a turn is reported ready again", () => {
  const { turns, states } = serveReady(1, { state: STATE.stuck });
  expect(sum(turns)).toBe(1 + 4);
  expect(new Set(states)).toEqual(new Set([STATE.idle]));
});
