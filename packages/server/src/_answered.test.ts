import { expect, test } from "bun:test";
import { loadSyscalls, POLLHUP, POLLIN, POLLRDHUP } from "@xsocket/xbind-native";
import { threadOptions } from "../test/options.ts";
import { Answered } from "./_answered.ts";
import { Connections } from "./_connections.ts";
import { UNREAD } from "./_flight.ts";
import { Judge } from "./_judge.ts";
import { createMemory, FIELD, STATE } from "./_memory.ts";
import { Shared } from "./_shared.ts";

const DESCRIPTORS = 200;
const HUNG_UP = POLLIN | POLLRDHUP | POLLHUP;

test("who has hung up is closed, unless a socket is in flight to a peer that may receive it yet", () => {
  const memory = createMemory(DESCRIPTORS, 1);
  const shared = new Shared(memory);
  const closed: number[] = [];
  const queues = new Map([[101, 768]]); // the others have received theirs, or are gone
  const sys = {
    ...loadSyscalls(),
    epollCtl: () => 0,
    shutdown: () => 0,
    dropPackets: () => 0,
    sendQueue: (fd: number) => queues.get(fd) ?? 0,
    close: (fd: number) => closed.push(fd),
    pollMany: (pairs: Int32Array, count: number) => {
      for (let i = 0; i < count; i++) pairs[2 * i + 1] = HUNG_UP;
      return count;
    },
  };
  const options = threadOptions(memory, DESCRIPTORS);
  const connections = new Connections({
    options,
    sys,
    shared,
    epollFd: -1,
    judge: new Judge(options.policy, () => 0),
    say: () => {},
    logs: () => false,
  });
  const answered = new Answered(sys, connections, () => {});
  for (const fd of [100, 101, 102]) {
    connections.open(fd);
    shared.flight.setUnread(fd, UNREAD.socket);
    answered.add(fd);
  }
  expect(answered.settle()).toBe(2); // so many descriptors are free
  expect(closed).toEqual([100, 102]);
  expect(shared.get(101, FIELD.state)).toBe(STATE.lingering);
  expect([shared.connections(), shared.flight.inFlight()]).toEqual([1, 1]);
});
