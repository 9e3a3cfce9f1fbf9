import { expect, test } from "bun:test";
import { POLLHUP, POLLIN, POLLRDHUP, type Syscalls } from "@xsocket/xbind-native";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { createMemory, FIELD, STATE } from "../memory/memory.ts";
import { Connections } from "./connections.ts";
import { Newcomers } from "./newcomers.ts";

const DESCRIPTORS = 200;
const HUNG_UP = POLLIN | POLLRDHUP | POLLHUP;

/** Newcomers on a kernel of our own. All have hung up by default. */
function newcomersAt(fds: readonly number[], kernel: Partial<Syscalls> = {}, gone = fds) {
  const closed: number[] = [];
  const served: number[] = [];
  const context = threadContext(threadOptions(createMemory(DESCRIPTORS, 1), DESCRIPTORS), {
    monotonic: () => 0,
    close: (fd: number) => closed.push(fd),
    pollMany: (pairs: Int32Array, count: number) => {
      for (let i = 0; i < count; i++)
        pairs[2 * i + 1] = gone.includes(pairs[2 * i] ?? -1) ? HUNG_UP : POLLIN | POLLRDHUP;
      return count;
    },
    ...kernel,
  });
  const { sys, shared } = context;
  const connections = new Connections(context);
  const newcomers = new Newcomers(sys, connections, (fd) => void served.push(fd));
  for (const fd of fds) {
    connections.open(fd);
    newcomers.add(fd);
  }
  return { newcomers, shared, closed, served };
}

test("closes connections that have hung up unless a socket in flight may still be received", () => {
  const shut: number[] = [];
  const queues = new Map([[101, 768]]); // the others have received theirs or are closed
  const fds = [100, 101, 102];
  const { newcomers, shared, closed } = newcomersAt(fds, {
    shutdown: (fd: number) => (shut.push(fd), 0),
    dropPackets: () => 0,
    sendQueue: (fd: number) => queues.get(fd) ?? 0,
  });
  for (const fd of fds) shared.flight.setUnread(fd, UNREAD.socket);
  expect(newcomers.settle()).toBe(2); // the number of descriptors freed
  expect([closed, shut]).toEqual([[100, 102], [101]]);
  expect(shared.get(101, FIELD.state)).toBe(STATE.lingering);
  expect([shared.connections(), shared.flight.inFlight()]).toEqual([1, 1]);
});

test("polls in several calls when there are too many for one", () => {
  const fds = Array.from({ length: 100 }, (_, i) => 100 + i);
  const { newcomers, closed } = newcomersAt(fds);
  newcomers.settle();
  expect(closed).toEqual(fds);
});

test("ends those that have hung up before the others have their turn", () => {
  const { newcomers, closed, served } = newcomersAt([100, 101, 102, 103, 105], {}, [100, 102]);
  expect([newcomers.endGone(), closed, served]).toEqual([2, [100, 102], []]);
  expect([newcomers.settle(), served]).toEqual([0, [101, 103, 105]]);
});
