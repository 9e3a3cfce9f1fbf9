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
  /** Closes those that are over when room is looked for, and tells how many. */
  readonly settle?: (connections: Connections, served: number[]) => number;
  readonly bounds?: Partial<Bounds>;
  /** Whether a connection is idle once it is served, instead of busy. */
  readonly idle?: boolean;
  /** How often the listening socket is ready. */
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

/** Closes the first of those that are served. */
function closeFirst(connections: Connections, served: number[]): number {
  connections.close(served.shift() ?? -1);
  return 1;
}

/** What accept(2) gives one time after the other, and then that nobody waits. */
function results(...list: number[]): () => number {
  return () => list.shift() ?? -errno.EAGAIN;
}

test("a connection for whose number there is no room is refused, counted and said", () => {
  const found = acceptFrom(results(DESCRIPTORS));
  expect(found).toMatchObject({ served: [], closed: [DESCRIPTORS], refused: 1 });
  expect(found.said.join()).toContain(`number ${DESCRIPTORS}`);
});

test("who is taken in by the spare descriptor, to hear that none is left, is counted", () => {
  const found = acceptFrom(results(-errno.EMFILE, 100));
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1 });
});

test("a spare descriptor that cannot be had again at once is there for the next time", () => {
  const spares = results(50, -errno.ENFILE, 51, 52); // at the start, in want, later
  const accept = results(-errno.ENFILE, 100, -errno.EAGAIN, -errno.ENFILE, 101);
  const { closed } = acceptFrom(accept, { kernel: { eventfd: spares }, times: 3 });
  expect(closed).toEqual([50, 100, 51, 101]);
});

test("who comes again and again to be refused does not keep the others from their turn", () => {
  let left = 1000; // an endless test cannot fail
  const { refused } = acceptFrom(() => (left-- > 0 ? DESCRIPTORS : -errno.EAGAIN));
  expect(refused).toBe(ACCEPTS);
});

test("who has gone meanwhile, and a signal, do not keep the next one waiting", () => {
  const { refused } = acceptFrom(results(-errno.ECONNABORTED, -errno.EINTR, DESCRIPTORS));
  expect(refused).toBe(1);
});

test("whom the kernel does not name is not taken for the one who had the number before", () => {
  const kernel = { getsockopt: () => -errno.EPERM };
  const found = acceptFrom(results(100), { kernel });
  expect(found).toMatchObject({ served: [], closed: [100], refused: 1, connections: 0 });
});

test("where no descriptor is left, those that are over make room before anybody is refused", () => {
  const found = acceptFrom(results(-errno.EMFILE, 100), { settle: () => 1, kernel: PEER });
  expect(found).toMatchObject({ served: [100], closed: [], refused: 0, said: [] });
});

function endServed(connections: Connections, served: number[]): number {
  return served.splice(0).filter((fd) => connections.end(fd)).length;
}

test.each([
  ["all", { maxConnections: 5 }],
  ["a user", { maxConnectionsPerUid: 5 }],
])("and so they do at the bound of %s", (_, bounds) => {
  const everybody = results(...Array.from({ length: 20 }, (_each, i) => 100 + i));
  const found = acceptFrom(everybody, { kernel: PEER, bounds, settle: endServed });
  expect(found).toMatchObject({ connections: 5, refused: 0, said: [] });
});

/** A kernel in which each ten descriptors are of a user of their own, and time goes on. */
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

test("who is alone has all that there are, and who has few has more than who has eight", () => {
  const bounds = { maxConnections: 10 };
  const ten = Array.from({ length: 10 }, (_, i) => 100 + i);
  const alone = acceptFrom(results(...ten, 50), { kernel: manyUsers(), bounds });
  expect(alone).toMatchObject({ served: ten, refused: 1 });
  const two = acceptFrom(results(50, ...ten, 51), { kernel: manyUsers(), bounds });
  expect(two).toMatchObject({ served: [50, ...ten.slice(0, 8), 51], refused: 2 });
});

test("who has many makes room for the next of them, and whoever is oldest for who has few", () => {
  const many = Array.from({ length: 9 }, (_, i) => 100 + i);
  const bounds = { maxConnections: 10 };
  const accept = results(50, ...many, 51, 70);
  const found = acceptFrom(accept, { kernel: manyUsers(), bounds, idle: true });
  expect(found).toMatchObject({ closed: [100, 50], refused: 0 });
});

test("where one of a user's that is over makes room, no other one has to", () => {
  const bounds = { maxConnectionsPerUid: 2 };
  const how = { kernel: PEER, bounds, idle: true, settle: closeFirst };
  expect(acceptFrom(results(100, 101, 102), how).closed).toEqual([100]);
});

test("root and the server's own user have eight connections more than there are for all", () => {
  const everybody = results(...Array.from({ length: 20 }, (_, i) => 100 + i));
  const bounds = { maxConnections: 5, maxConnectionsPerUid: 100 };
  const found = acceptFrom(everybody, { kernel: PEER, bounds });
  expect(found).toMatchObject({ connections: 5 + 8, refused: 20 - 5 - 8 });
});

test("the spare descriptor is not for a failure that has nothing to do with them", () => {
  const found = acceptFrom(results(-errno.EINVAL, 100));
  expect(found).toMatchObject({ served: [], closed: [], refused: 0 });
});

test("a failure that lasts is said once, and again when there was somebody in between", () => {
  const failure = [-errno.EMFILE, -errno.EAGAIN] as const; // the second is for the spare descriptor
  const accept = results(...failure, ...failure, 100, ...failure);
  const { served, said } = acceptFrom(accept, { kernel: PEER, times: 3 });
  expect(served).toEqual([100]);
  const words = "cannot accept connections for now: EMFILE. Raise the limit of open files";
  expect(said).toEqual(Array(2).fill(expect.stringContaining(words)));
});

test("in a pause nobody wakes the thread, and then it listens again", () => {
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
    [0, false], // a negative one would be for ever
  ]);
  acceptor.resume();
  expect([acceptor.waitMs(), acceptor.isListening]).toEqual([-1, true]);
  expect(asked).toEqual([
    [EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP],
    [EPOLL_CTL_MOD, 0],
    [EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP],
  ]);
});

test("who is refused hears why, but not behind what is neither a request nor a question", () => {
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
  "at the end who waits is accepted; a listening socket that no other process has (%p) is shut first, and given up",
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

test("at the end everybody whom the kernel lets wait is accepted, one more than backlog says", () => {
  const waiting = Array.from({ length: ACCEPTS + 1 }, (_, i) => 100 + i);
  const how = { kernel: PEER, bounds: { backlog: ACCEPTS }, times: 0, ownsListener: false };
  const { acceptor, served } = acceptFrom(results(...waiting), how);
  acceptor.finish();
  expect(served).toEqual(waiting);
});
