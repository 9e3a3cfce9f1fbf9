import { expect, spyOn, test } from "bun:test";
import {
  EPOLL_CTL_DEL,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  errno,
  loadSyscalls,
  POLLIN,
  SHUT_RD,
} from "@xsocket/xbind-native";
import {
  CONNECTION,
  DESCRIPTORS,
  idleConnection,
  logTo,
  receiveRequest,
  threadAt,
  threadOne,
  waitForOrder,
  serveOnce,
  serveWhile,
} from "../../test/loop.ts";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD, FIELDS, STATE, THREAD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { reclaim } from "../pool/reclaim.ts";
import { LISTEN_DATA, WAKE_DATA } from "./acceptor.ts";
import { Connections } from "./connections.ts";
import { Peer } from "./peer.ts";
import type { Order } from "./thread.ts";
import { Turns } from "./turns.ts";

const sys = loadSyscalls();

/**
 * Has the thread take one event of a connection, then an order to stop.
 * Returns the state in between, whether it was read from, and whether it is open at the end.
 */
function after(events: number, owner: number, before: number = STATE.idle, hasAsked = false) {
  const { memory, shared } = idleConnection(owner);
  shared.set(CONNECTION, FIELD.state, before);
  shared.touch(CONNECTION, sys.monotonic());
  const found = { state: -1, isRead: false };
  const kernel = {
    eventfdTake: () => ((found.state = shared.get(CONNECTION, FIELD.state)), 0),
    poll: () => 0, // the peer of the connection that has the number now is there, and silent
    receivePacket(fd: number, bytes: Uint8Array) {
      found.isRead = fd === CONNECTION;
      return hasAsked ? receiveRequest(fd, bytes) : -errno.EAGAIN;
    },
    socket: () => -errno.EMFILE,
  };
  serveOnce(memory, kernel, undefined, events);
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
  expect(after(EPOLLHUP | EPOLLIN, 1, STATE.fresh).state).toBe(STATE.fresh); // its time for a request keeps running
});

test("a connection that waited for its first request is idle once it is answered", () => {
  expect(after(EPOLLIN, 1, STATE.fresh, true).state).toBe(STATE.idle);
});

test("keeps a connection when the thread chosen for it dies", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.fresh);
  shared.setThread(0, THREAD.serves, 1);
  shared.setThread(1, THREAD.load, 5);
  let requests = 2;
  let owner = -1;
  const kernel = {
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
  serveWhile(() => requests-- > 0, memory, kernel);
  expect(owner).toBe(1);
  expect(shared.thread(0, THREAD.inbox)).toBe(-1);
  expect(shared.connections()).toBe(0);
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

test("a stopping thread does not cut off a connection that has the number of one it waited for", () => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, STATE.fresh);
  let waits = 0;
  const kernel = {
    monotonic: () => waits * 1_000,
    epollWait(epoll: number, pairs: Uint32Array) {
      if (waits++ === 0) return waitForOrder(epoll, pairs);
      shared.set(CONNECTION, FIELD.owner, 0); // ours has ended meanwhile
      return 0;
    },
    receivePacket: () => -errno.EAGAIN,
  };
  threadOne(memory, [{ kind: "stop" }], kernel).run();
  // ten parts of its last time after the first one
  expect([waits, shared.get(CONNECTION, FIELD.state)]).toEqual([11, STATE.fresh]);
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

test.each([
  ["that is over but for its socket", STATE.lingering, UNREAD.socket],
  ["whose client has hung up", STATE.idle, UNREAD.none],
])("a stopping thread does not wait for a connection %s", (_, state, unread) => {
  const { memory, shared } = idleConnection(1);
  shared.set(CONNECTION, FIELD.state, state);
  shared.flight.setUnread(CONNECTION, unread);
  let waits = 0;
  const kernel = {
    epollWait: (epoll: number, pairs: Uint32Array) => (waits++, waitForOrder(epoll, pairs)),
    receivePacket: () => 0,
    sendQueue: () => 100,
    poll: () => EPOLLIN, // the end can be read
  };
  threadOne(memory, [{ kind: "stop" }], kernel).run();
  expect(waits).toBe(1);
});

test("closes and logs a connection that epoll has no room for", () => {
  const { memory, shared } = idleConnection(1);
  const said: string[] = [];
  let left = -1;
  const kernel = {
    eventfdTake: () => ((left = shared.connections()), 0), // before the end, which closes all
    receivePacket: () => -errno.EAGAIN,
    epollCtl: (_: number, _operation: number, fd: number) =>
      fd === CONNECTION ? -errno.ENOSPC : 0,
  };
  serveOnce(memory, kernel, logTo(said));
  expect(said).toEqual([expect.stringContaining("epoll_ctl gives ENOSPC")]);
  expect(left).toBe(0);
});

test("an exception closes the connection and its new socket once each", () => {
  const { memory, shared } = idleConnection(1);
  const closed: number[] = [];
  const kernel = {
    receivePacket: receiveRequest,
    socket: () => CONNECTION + 1,
    sendPacket() {
      throw new Error("on demand");
    },
    close: (fd: number) => closed.push(fd),
  };
  serveOnce(memory, kernel);
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

const LOOKS = ["endGone", "makeRoom"] as const;

test.each(LOOKS)("%s() closes connections that have gone, and no others", (look) => {
  const gone = [
    [EPOLLIN | EPOLLHUP, STATE.idle, UNREAD.none],
    [EPOLLHUP, STATE.fresh, UNREAD.none],
    [EPOLLOUT | EPOLLHUP, STATE.stuck, UNREAD.socket],
    [EPOLLOUT, STATE.lingering, UNREAD.socket],
  ] as const;
  const there = [
    [EPOLLIN, STATE.idle, UNREAD.none, STATE.idle],
    [EPOLLOUT, STATE.stuck, UNREAD.plain, STATE.idle], // has received it: this event does not come again
    [EPOLLHUP, STATE.busy, UNREAD.none, STATE.busy],
    [EPOLLHUP, STATE.stuck, UNREAD.socket, STATE.lingering], // shut down, but a socket is still on its way to it
  ] as const;
  const ready = [...gone, ...there].flatMap(([events], i) => [events, 100 + i]);
  const undelivered = 107;
  const ofAnother = 120;
  ready.push(EPOLLIN, LISTEN_DATA, EPOLLIN, WAKE_DATA, EPOLLHUP, ofAnother);
  const closed: number[] = [];
  const context = threadContext(threadOptions(createMemory(DESCRIPTORS, 2), DESCRIPTORS), {
    epollWait: (_, pairs) => (pairs.set(ready), ready.length / 2),
    pollMany: (pairs: Int32Array) => ((pairs[1] = EPOLLHUP), 1),
    receivePacket: receiveRequest,
    socket: () => -errno.EMFILE,
    sendPacket: () => 8,
    sendQueue: (fd) => (fd === undelivered ? 768 : 0),
    shutdown: () => 0,
    dropPackets: () => 0,
    close: (fd: number) => closed.push(fd),
  });
  const { shared } = context;
  const connections = new Connections(context);
  const turns = new Turns(context, connections, new Peer(context.sys, shared));
  [...gone, ...there].forEach(([, state, unread], i) => {
    connections.open(100 + i);
    shared.flight.setUnread(100 + i, unread);
    shared.set(100 + i, FIELD.state, state);
  });
  connections.open(ofAnother);
  shared.set(ofAnother, FIELD.owner, 1);
  shared.set(ofAnother, FIELD.state, STATE.idle);
  connections.open(CONNECTION);
  turns.first(CONNECTION); // answered, and gone

  expect(turns[look]()).toBe(5);
  expect(closed).toEqual([CONNECTION, 100, 101, 102, 103]);
  expect(there.map((_, i) => shared.get(104 + i, FIELD.state))).toEqual(there.map((row) => row[3]));
  expect(shared.connections()).toBe(there.length + 1);
});
