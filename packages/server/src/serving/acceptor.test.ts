import { expect, test } from "bun:test";
import { REQUEST_BYTES, SIGNATURE_BYTES } from "@xsocket/protocol";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLRDHUP,
  errno,
  type Syscalls,
} from "@xsocket/xbind-native";
import { threadContext, threadOptions } from "../../test/thread.ts";
import type { Bounds } from "../bounds.ts";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, createMemory, STATE } from "../memory/memory.ts";
import { ACCEPTS, Acceptor } from "./acceptor.ts";
import { Connections } from "./connections.ts";
import { Peer } from "./peer.ts";

const DESCRIPTORS = 200;
const PEER = { getsockopt: () => 12 }; // names whoever connects as uid 0

interface How {
  readonly kernel?: Partial<Syscalls>;
  /** Closes finished connections when room is needed, and returns their number. */
  readonly settle?: (connections: Connections, served: number[]) => number;
  readonly bounds?: Partial<Bounds>;
  /** Makes a connection idle once it is served, instead of busy. */
  readonly idle?: boolean;
  /** The number of times that the listening socket is ready. */
  readonly times?: number;
  readonly ownsListener?: boolean;
}

/** Accepts on a kernel of our own. */
function acceptFrom(accept: () => number, how: How = {}) {
  const {
    kernel,
    settle = () => 0,
    bounds = {},
    idle = false,
    times = 1,
    ownsListener = true,
  } = how;
  const closed: number[] = [];
  const said: string[] = [];
  const served: number[] = [];
  const memory = createMemory(DESCRIPTORS, 1);
  const usual = threadOptions(memory, DESCRIPTORS);
  const options = { ...usual, bounds: { ...usual.bounds, ...bounds }, ownsListener };
  const context = {
    ...threadContext(options, {
      accept,
      eventfd: () => -errno.EMFILE,
      receivePacket: () => -errno.EAGAIN,
      sendPacket: () => 8,
      close: (fd: number) => closed.push(fd),
      ...kernel,
    }),
    say: (_level: string, _event: string, message: string) => void said.push(message),
  };
  const { sys, shared } = context;
  const connections = new Connections(context);
  const serve = (fd: number) => {
    served.push(fd);
    if (!idle) return;
    shared.flight.setUnread(fd, UNREAD.none); // it has been replied to
    connections.release(fd, STATE.idle);
  };
  const peer = new Peer(sys, shared);
  const over = () => settle(connections, served);
  const acceptor = new Acceptor(context, connections, peer, over, serve);
  for (let i = 0; i < times; i++) acceptor.accept(ACCEPTS);
  const refused = shared.sum(COUNTER.refusedConnections);
  return { acceptor, closed, said, served, refused, connections: shared.connections() };
}

/** Closes the first served connection. */
function closeFirst(connections: Connections, served: number[]): number {
  connections.close(served.shift() ?? -1);
  return 1;
}

/** Results of accept(2) in turn, then EAGAIN. */
function results(...list: number[]): () => number {
  return () => list.shift() ?? -errno.EAGAIN;
}

test("refuses, counts and logs a connection whose descriptor number is too high", () => {
  const found = acceptFrom(results(DESCRIPTORS));
  expect(found).toMatchObject({ served: [], closed: [DESCRIPTORS], refused: 1 });
  expect(found.said.join()).toContain(`number ${DESCRIPTORS}`);
});

test("counts a connection refused through the spare descriptor", () => {
  const found = acceptFrom(results(-errno.EMFILE, 100));
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1 });
});

test("opens the spare descriptor again later if that fails at once", () => {
  const spares = results(50, -errno.ENFILE, 51, 52); // at the start, when none was left, later
  const accept = results(-errno.ENFILE, 100, -errno.EAGAIN, -errno.ENFILE, 101);
  const { closed } = acceptFrom(accept, { kernel: { eventfd: spares }, times: 3 });
  expect(closed).toEqual([50, 100, 51, 101]);
});

test("accepts a bounded number of connections in a turn", () => {
  let left = 1000; // an endless test cannot fail
  const { refused } = acceptFrom(() => (left-- > 0 ? DESCRIPTORS : -errno.EAGAIN));
  expect(refused).toBe(ACCEPTS);
});

test("continues after ECONNABORTED and EINTR", () => {
  const { refused } = acceptFrom(results(-errno.ECONNABORTED, -errno.EINTR, DESCRIPTORS));
  expect(refused).toBe(1);
});

test("refuses a connection whose peer the kernel does not name", () => {
  const kernel = { getsockopt: () => -errno.EPERM };
  const found = acceptFrom(results(100), { kernel });
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1, connections: 0 });
});

test("closes finished connections before refusing when no descriptor is left", () => {
  const found = acceptFrom(results(-errno.EMFILE, 100), { settle: () => 1, kernel: PEER });
  expect(found).toMatchObject({ served: [100], closed: [], refused: 0, said: [] });
});

function endServed(connections: Connections, served: number[]): number {
  return served.splice(0).filter((fd) => connections.end(fd)).length;
}

test.each([
  ["all", { maxConnections: 5 }],
  ["a user", { maxConnectionsPerUid: 5 }],
])("closes finished connections before refusing at the bound of %s", (_, bounds) => {
  const everybody = results(...Array.from({ length: 20 }, (_each, i) => 100 + i));
  const found = acceptFrom(everybody, { kernel: PEER, bounds, settle: endServed });
  expect(found).toMatchObject({ connections: 5, refused: 0, said: [] });
});

/** A kernel in which every ten descriptors belong to a different user, and whose clock advances. */
function manyUsers(): Partial<Syscalls> {
  let now = 0;
  return {
    monotonic: () => now++,
    getsockopt(fd, _level, _name, credentials) {
      if (credentials instanceof Int32Array) credentials[1] = Math.floor(fd / 10);
      return 12;
    },
  };
}

test("a sole user may have all connections, and one with few may exceed another's share", () => {
  const bounds = { maxConnections: 10 };
  const ten = Array.from({ length: 10 }, (_, i) => 100 + i);
  const alone = acceptFrom(results(...ten, 50), { kernel: manyUsers(), bounds });
  expect(alone).toMatchObject({ served: ten, refused: 1 });
  const two = acceptFrom(results(50, ...ten, 51), { kernel: manyUsers(), bounds });
  expect(two).toMatchObject({ served: [50, ...ten.slice(0, 8), 51], refused: 2 });
});

test("evicts a user's own oldest connection, or anybody's oldest for a user with few", () => {
  const many = Array.from({ length: 9 }, (_, i) => 100 + i);
  const bounds = { maxConnections: 10 };
  const accept = results(50, ...many, 51, 70);
  const found = acceptFrom(accept, { kernel: manyUsers(), bounds, idle: true });
  expect(found).toMatchObject({ closed: [100, 50], refused: 0 });
});

test("does not evict when a finished connection of the user makes room", () => {
  const bounds = { maxConnectionsPerUid: 2 };
  const how = { kernel: PEER, bounds, idle: true, settle: closeFirst };
  expect(acceptFrom(results(100, 101, 102), how).closed).toEqual([100]);
});

test("root and the server's own user have eight connections beyond the bound", () => {
  const everybody = results(...Array.from({ length: 20 }, (_, i) => 100 + i));
  const bounds = { maxConnections: 5, maxConnectionsPerUid: 100 };
  const found = acceptFrom(everybody, { kernel: PEER, bounds });
  expect(found).toMatchObject({ connections: 5 + 8, refused: 20 - 5 - 8 });
});

test("does not use the spare descriptor for another failure", () => {
  const found = acceptFrom(results(-errno.EINVAL, 100));
  expect(found).toMatchObject({ served: [], closed: [], refused: 0 });
});

test("logs a lasting failure once, and again after a success", () => {
  const failure = [-errno.EMFILE, -errno.EAGAIN] as const; // the second is for the spare descriptor
  const accept = results(...failure, ...failure, 100, ...failure);
  const { served, said } = acceptFrom(accept, { kernel: PEER, times: 3 });
  expect(served).toEqual([100]);
  const words = "cannot accept connections for now: EMFILE. Raise the limit of open files";
  expect(said).toEqual(Array(2).fill(expect.stringContaining(words)));
});

test("does not listen during a pause, then listens again", () => {
  const clock = { now: 5 };
  const asked: number[][] = [];
  const kernel: Partial<Syscalls> = {
    monotonic: () => clock.now,
    epollCtl: (_, operation, _fd, events) => (asked.push([operation, events]), 0),
  };
  const { acceptor } = acceptFrom(results(-errno.EMFILE), { kernel });
  const looks = [0, 99.5, 10].map((later) => {
    clock.now += later;
    return [acceptor.waitMs(), acceptor.isListening];
  });
  expect(looks).toEqual([
    [100, false],
    [1, false],
    [0, false], // a negative timeout would wait for ever
  ]);
  acceptor.resume();
  expect([acceptor.waitMs(), acceptor.isListening]).toEqual([-1, true]);
  expect(asked).toEqual([
    [EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP],
    [EPOLL_CTL_MOD, 0],
    [EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP],
  ]);
});

test("sends a refusal unless the client has sent something malformed", () => {
  const heard = [REQUEST_BYTES, SIGNATURE_BYTES, -errno.EAGAIN, 7, 0].map((length) => {
    let sent = 0;
    const kernel = { receivePacket: () => length, sendPacket: () => (sent++, 8) };
    acceptFrom(results(DESCRIPTORS), { kernel });
    return sent;
  });
  expect(heard).toEqual([1, 1, 1, 0, 0]);
});

test.each([
  [true, ["left", "shut", "asked", "asked", "settled", "given up"]],
  [false, ["left", "asked", "asked", "settled"]],
])(
  "finish() accepts waiting clients, and first shuts the listening socket if it owns that (%p)",
  (ownsListener, order) => {
    const steps: string[] = [];
    const step = (what: string) => (steps.push(what), 0);
    const kernel = {
      ...PEER,
      epollCtl: (_: number, operation: number) => (operation === EPOLL_CTL_DEL ? step("left") : 0),
      shutdown: () => step("shut"),
      dupOnto: () => step("given up"),
    };
    const accept = results(100);
    const { acceptor, served } = acceptFrom(() => (step("asked"), accept()), {
      kernel,
      settle: () => step("settled"),
      times: 0,
      ownsListener,
    });
    acceptor.finish();
    acceptor.finish();
    expect(served).toEqual([100]);
    expect(steps.join()).toBe(order.join());
  },
);

test("finish() accepts one client more than the backlog", () => {
  const waiting = Array.from({ length: ACCEPTS + 1 }, (_, i) => 100 + i);
  const how = { kernel: PEER, bounds: { backlog: ACCEPTS }, times: 0, ownsListener: false };
  const { acceptor, served } = acceptFrom(results(...waiting), how);
  acceptor.finish();
  expect(served).toEqual(waiting);
});
