import { expect, test } from "bun:test";
import { POLLHUP, POLLIN, POLLRDHUP } from "@xsocket/xbind-native";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD, STATE } from "../memory/memory.ts";
import { Connections } from "./connections.ts";
import { Newcomers } from "./newcomers.ts";

const DESCRIPTORS = 200;
const HUNG_UP = POLLIN | POLLRDHUP | POLLHUP;

test("closes connections that have hung up unless a socket in flight may still be received", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const closed: number[] = [];
  const shut: number[] = [];
  const queues = new Map([[101, 768]]); // the others have received theirs or are closed
  const context = threadContext(threadOptions(memory, DESCRIPTORS), {
    shutdown: (fd: number) => (shut.push(fd), 0),
    dropPackets: () => 0,
    sendQueue: (fd: number) => queues.get(fd) ?? 0,
    close: (fd: number) => closed.push(fd),
    pollMany: (pairs: Int32Array, count: number) => {
      for (let i = 0; i < count; i++) pairs[2 * i + 1] = HUNG_UP;
      return count;
    },
  });
  const { sys, shared } = context;
  const connections = new Connections(context);
  const newcomers = new Newcomers(sys, connections, () => {});
  for (const fd of [100, 101, 102]) {
    connections.open(fd);
    shared.flight.setUnread(fd, UNREAD.socket);
    newcomers.add(fd);
  }
  expect(newcomers.settle()).toBe(2); // the number of descriptors freed
  expect([closed, shut]).toEqual([[100, 102], [101]]);
  expect(shared.get(101, FIELD.state)).toBe(STATE.lingering);
  expect([shared.connections(), shared.flight.inFlight()]).toEqual([1, 1]);
});

test("polls in several calls when there are too many for one", () => {
  const closed: number[] = [];
  const context = threadContext(threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS), {
    monotonic: () => 0,
    close: (fd: number) => closed.push(fd),
    pollMany: (pairs: Int32Array, count: number) => {
      for (let i = 0; i < count; i++) pairs[2 * i + 1] = HUNG_UP;
      return count;
    },
  });
  const connections = new Connections(context);
  const newcomers = new Newcomers(context.sys, connections, () => {});
  const fds = Array.from({ length: 100 }, (_, i) => 100 + i);
  for (const fd of fds) {
    connections.open(fd);
    newcomers.add(fd);
  }
  newcomers.settle();
  expect(closed).toEqual(fds);
});

test("ends those that have hung up before the others have their turn", () => {
  const closed: number[] = [];
  const served: number[] = [];
  const context = threadContext(threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS), {
    monotonic: () => 0,
    close: (fd: number) => closed.push(fd),
    pollMany: (pairs: Int32Array, count: number) => {
      for (let i = 0; i < count; i++)
        pairs[2 * i + 1] = (pairs[2 * i] ?? 0) % 2 === 0 ? HUNG_UP : POLLIN | POLLRDHUP;
      return count;
    },
  });
  const connections = new Connections(context);
  const newcomers = new Newcomers(context.sys, connections, (fd) => void served.push(fd));
  for (const fd of [100, 101, 102, 103, 105]) {
    connections.open(fd);
    newcomers.add(fd);
  }
  expect([newcomers.endGone(), closed, served]).toEqual([2, [100, 102], []]);
  expect([newcomers.settle(), served]).toEqual([0, [101, 103, 105]]);
});
