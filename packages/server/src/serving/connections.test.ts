import { expect, spyOn, test } from "bun:test";
import { EPOLL_CTL_ADD, EPOLL_CTL_MOD, errno } from "@xsocket/xbind-native";
import { connectionsAt, openIdle, threadContext, threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD, STATE, THREAD } from "../memory/memory.ts";
import { Shared } from "../memory/shared.ts";
import { Connections } from "./connections.ts";

const DESCRIPTORS = 300;

test("a received socket no longer counts as in flight, and unchanged events cost no call", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const { flight } = new Shared(memory);
  let queued = 768;
  const calls: number[] = [];
  const { connections } = connectionsAt(0, memory, {
    monotonic: () => 0,
    sendQueue: () => queued,
    close: () => 0,
    epollCtl: (_: number, operation: number) => (calls.push(operation), 0),
  });
  connections.open(100);
  flight.setUnread(100, UNREAD.socket);
  expect([connections.isUnread(100), flight.inFlight()]).toEqual([true, 1]);
  queued = 1; // for an instant
  expect([connections.isUnread(100), flight.inFlight()]).toEqual([false, 0]);
  for (const state of [STATE.idle, STATE.idle, STATE.stuck, STATE.lingering, STATE.idle])
    connections.release(100, state);
  expect(calls).toEqual([EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_MOD]);
  flight.setUnread(100, UNREAD.socket);
  expect(connections.recount(-1)).toBe(true);
  flight.setUnread(100, UNREAD.socket);
  connections.close(100);
  expect(flight.inFlight()).toBe(0);
});

test("a new connection has its time before other threads take it for one", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const shared = new Shared(memory);
  using touching = spyOn(Shared.prototype, "touch").mockImplementation((fd) =>
    expect(shared.get(fd, FIELD.state)).toBe(STATE.free),
  );
  connectionsAt(0, memory, {}).connections.open(100);
  expect(touching).toHaveBeenCalled();
});

/* A connection served while it is still in the inbox could be put there twice, and others would be lost. */
test("takes in a connection with a reused number only from the inbox", () => {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  const beside = connectionsAt(1, memory, { monotonic: () => 0, eventfdAdd: () => 0 }).connections;
  const inboxes: number[] = [];
  const { connections } = connectionsAt(0, memory, {
    monotonic: () => 0,
    epollCtl: () => (inboxes.push(shared.thread(0, THREAD.inbox)), 0),
    close(fd) {
      beside.open(fd); // before close() returns
      return Number(shared.move(fd, 0));
    },
  });
  shared.setThread(0, THREAD.serves, 1);
  openIdle(connections, 100);
  expect(shared.evict(100)).toBe(0);
  connections.takeInbox();
  expect([shared.get(100, FIELD.state), shared.connections()]).toEqual([STATE.idle, 1]);
  expect(inboxes).toEqual([-1, -1]);
});

test("moves a connection to a less loaded thread that serves, and keeps the loads right", () => {
  const memory = createMemory(DESCRIPTORS, 3);
  const shared = new Shared(memory);
  for (const thread of [0, 2]) shared.setThread(thread, THREAD.serves, 1); // 1 does not serve yet
  const kernel = { monotonic: () => 0, eventfdAdd: () => 0, dropPackets: () => 0, close: () => 0 };
  const [here, there] = [0, 2].map((index) => connectionsAt(index, memory, kernel).connections);
  const loads = () => [0, 1, 2].map((thread) => shared.thread(thread, THREAD.load));
  for (const fd of [100, 101, 102]) {
    here?.open(fd);
    here?.release(fd, STATE.idle);
  }
  expect(loads()).toEqual([3, 0, 0]);
  const moved = [102, 101].map((fd) => {
    shared.set(fd, FIELD.state, STATE.busy);
    return [here?.moveToQuieter(fd), shared.get(fd, FIELD.owner)];
  });
  expect(moved).toEqual([
    [true, 2],
    [false, 0],
  ]);
  expect(loads()).toEqual([2, 0, 1]);
  there?.takeInbox();
  expect(shared.get(102, FIELD.state)).toBe(STATE.idle);
  expect(loads()).toEqual([2, 0, 1]);
  there?.close(102);
  expect(loads()).toEqual([2, 0, 0]);
  here?.open(102); // another connection with the same number
  here?.release(102, STATE.idle);
  expect(loads()).toEqual([3, 0, 0]);
});

test("moves a connection to the least loaded thread", () => {
  const memory = createMemory(DESCRIPTORS, 3);
  const shared = new Shared(memory);
  for (const [thread, load] of [5, 1, 2].entries()) {
    shared.setThread(thread, THREAD.serves, 1);
    shared.addToThread(thread, THREAD.load, load);
  }
  const kernel = { monotonic: () => 0, eventfdAdd: () => 0 };
  const { connections } = connectionsAt(0, memory, kernel);
  connections.open(100);
  expect([connections.moveToQuieter(100), shared.get(100, FIELD.owner)]).toEqual([true, 1]);
});

test("takes in everything from the inbox and no longer times out a moved connection", () => {
  const memory = createMemory(DESCRIPTORS, 2);
  const shared = new Shared(memory);
  for (const thread of [0, 1]) {
    shared.setThread(thread, THREAD.serves, 1);
    shared.setThread(thread, THREAD.wake, 200 + thread);
  }
  let now = 0;
  const woken: number[] = [];
  const closed: number[] = [];
  const kernel = {
    monotonic: () => now,
    eventfdAdd: (fd: number) => woken.push(fd),
    sendQueue: () => 768,
    close: (fd: number) => closed.push(fd),
  };
  const { connections: here, options } = connectionsAt(0, memory, kernel);
  const { connections: there, idle } = connectionsAt(1, memory, kernel);
  for (const fd of [100, 101, 102]) {
    here.open(fd);
    shared.flight.setUnread(fd, UNREAD.plain);
    here.release(fd, STATE.idle);
  }
  shared.set(100, FIELD.state, STATE.busy);
  expect([here.moveToQuieter(100), idle.evict(-1, 1), idle.evict(-1, 1)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(woken).toEqual([201, 200, 200]);
  here.takeInbox();
  there.takeInbox();
  expect(new Set(closed)).toEqual(new Set([101, 102]));
  now = options.bounds.takeReplyMs;
  here.timeLimits.check();
  expect(shared.get(100, FIELD.state)).toBe(STATE.idle);
  there.timeLimits.check();
  expect(shared.get(100, FIELD.state)).toBe(STATE.free);
});

test("logs why a connection is closed unless its client has hung up", () => {
  const said: string[] = [];
  const say = (_level: string, _event: string, message: string) => void said.push(message);
  const options = threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS);
  const connections = new Connections({ ...threadContext(options, {}), say });
  for (const error of [errno.EPIPE, errno.ECONNRESET, errno.ENOBUFS])
    connections.sayClosed("it fails", "sendmsg", error);
  expect(said).toEqual(["a connection was closed, since it fails: sendmsg gives ENOBUFS"]);
});
