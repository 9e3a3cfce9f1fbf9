import { AF_PACKET, encode, SOCK_RAW } from "@xsocket/protocol";
import { EPOLLIN, errno, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { createMemory, FIELD, type Memory, STATE, THREAD } from "../src/memory/memory.ts";
import { Shared } from "../src/memory/shared.ts";
import { DEFAULT_POLICY } from "../src/policy/builtin.ts";
import { plainRule } from "../src/policy/rule.ts";
import { WAKE_DATA } from "../src/serving/acceptor.ts";
import { type Channel, EVENTS, Loop } from "../src/serving/loop.ts";
import type { Order } from "../src/serving/thread.ts";
import { threadOptions } from "./thread.ts";

export const DESCRIPTORS = 200;
export const CONNECTION = 150; // no descriptor of this process is touched
const sys = loadSyscalls();
const PACKETS = plainRule("packet sockets", { families: [AF_PACKET], types: [SOCK_RAW] });
const POLICY = { ...DEFAULT_POLICY, rules: [...DEFAULT_POLICY.rules, PACKETS] };
const REQUEST = encode({ kind: "request", domain: 2, type: 1, protocol: 0 });

/** Receives an ordinary request on every connection. */
export function receiveRequest(_: number, bytes: Uint8Array): number {
  bytes.set(REQUEST);
  return REQUEST.byteLength;
}

const KERNEL: Syscalls = {
  ...sys,
  epollCtl: () => 0,
  eventfd: () => -errno.EMFILE,
  eventfdTake: () => 0,
  sendPacket: () => 8,
  close: () => 0,
  tickCreate: () => -1,
};

/** One of two threads, on a simulated kernel. */
export function threadAt(
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

export function threadOne(...rest: Tail<Parameters<typeof threadAt>>): Loop {
  return threadAt(1, ...rest);
}

type Tail<List extends unknown[]> = List extends [unknown, ...infer Rest] ? Rest : never;

/** Memory with one idle connection. */
export function idleConnection(owner: number): { memory: Memory; shared: Shared } {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  shared.set(CONNECTION, FIELD.state, STATE.idle);
  shared.set(CONNECTION, FIELD.owner, owner);
  shared.addConnection(CONNECTION);
  return { memory, shared };
}

/** Takes down what a thread logs. */
export function logTo(said: string[]): Channel["send"] {
  return (report) => {
    if (report.kind === "log") said.push(report.record.message);
  };
}

/** A wait that ends with an order. */
export function waitForOrder(_: number, pairs: Uint32Array): number {
  pairs.set([EPOLLIN, WAKE_DATA]);
  return 1;
}

/** Waits that end with events of the connection as long as that holds, then with an order to stop. */
export function waitWhile(
  goesOn: () => boolean,
  orders: Order[],
  events = EPOLLIN,
): Syscalls["epollWait"] {
  return (_, pairs) => {
    const hasMore = goesOn();
    if (!hasMore) orders.push({ kind: "stop" });
    pairs.set(hasMore ? [events, CONNECTION] : [EPOLLIN, WAKE_DATA]);
    return 1;
  };
}

/** Has a thread take events of the connection as long as that holds, then an order to stop. */
export function serveWhile(
  goesOn: () => boolean,
  memory: Memory,
  kernel: Partial<Syscalls>,
  send?: Channel["send"],
  events?: number,
): void {
  const orders: Order[] = [];
  const epollWait = waitWhile(goesOn, orders, events);
  threadOne(memory, orders, { epollWait, ...kernel }, send).run();
}

/** Holds at first. */
export function once(): () => boolean {
  let left = 1;
  return () => left-- > 0;
}

/** Has a thread take one event of the connection, then an order to stop. */
export function serveOnce(...rest: Tail<Parameters<typeof serveWhile>>): void {
  serveWhile(once(), ...rest);
}

/**
 * Has the accepting thread wait a few times, each time with the same connections ready: many of
 * one user, and behind them those of others, one by default. Then it is told to stop.
 *
 * @param first the events of a wait before those
 * @param orderAt the wait at which the order is already there, while its event is queued behind the others
 * @returns the turns and the state of each connection, the calls of accept, and the waits
 */
export function serveReady(
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
    shared.set(fd, FIELD.uid, ready.indexOf(fd) < count - others ? 1 : 2);
    shared.addConnection(fd);
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
