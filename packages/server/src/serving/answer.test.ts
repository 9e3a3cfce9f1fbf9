import { expect, test } from "bun:test";
import { AF_NETLINK, AF_PACKET, encode, SOCK_RAW } from "@xsocket/protocol";
import { EPOLLHUP, errno, type Syscalls } from "@xsocket/xbind-native";
import {
  CONNECTION,
  DESCRIPTORS,
  idleConnection,
  receiveRequest,
  threadOne,
  serveOnce,
  serveWhile,
  waitWhile,
  once,
} from "../../test/loop.ts";
import { threadOptions } from "../../test/thread.ts";
import { UNREAD } from "../memory/flight.ts";
import { COUNTER, FIELD, STATE, THREAD } from "../memory/memory.ts";
import { readStats } from "../stats.ts";
import type { Order } from "./thread.ts";

test.each([
  ["the end of a connection", 0, 0],
  ["a read that was interrupted", -errno.EINTR, 1],
])("does not count %s as malformed", (_, length, open) => {
  const { memory, shared } = idleConnection(1);
  let left = -1;
  serveOnce(memory, {
    eventfdTake: () => ((left = shared.connections()), 0),
    receivePacket: () => length,
  });
  expect([left, shared.sum(COUNTER.malformed)]).toEqual([open, 0]);
});

test("the time to receive a reply begins when it is sent, even if that was long after the request", () => {
  const { memory, shared } = idleConnection(1);
  let now = 0;
  serveOnce(memory, {
    receivePacket: receiveRequest,
    socket: () => ((now += 60_000), 99),
    sendQueue: () => 768,
    poll: () => 0,
    monotonic: () => now,
  });
  expect(readStats(shared)).toMatchObject({ granted: 1, timedOut: 0 });
});

test("counts a client held back for slow closes as refused", () => {
  const { memory, shared } = idleConnection(1);
  const request = encode({ kind: "request", domain: AF_PACKET, type: SOCK_RAW, protocol: 0 });
  const requests = Array.from({ length: 9 }, () => request); // eight are on credit
  let now = 0;
  serveWhile(() => requests.length > 0, memory, {
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
  });
  expect(readStats(shared)).toMatchObject({ granted: 8, refusedInFlight: 1, failed: 0 });
});

test("a client that has gone makes room for another socket in flight", () => {
  const { memory, shared } = idleConnection(1);
  const { maxInFlightPerUid } = threadOptions(memory, DESCRIPTORS).bounds;
  const gone = CONNECTION - 1;
  for (let fd = gone; fd > gone - maxInFlightPerUid; fd--) {
    shared.set(fd, FIELD.state, STATE.stuck);
    shared.set(fd, FIELD.owner, 1);
    shared.addConnection(fd);
    shared.flight.setUnread(fd, UNREAD.socket);
  }
  const orders: Order[] = [];
  const wait = waitWhile(once(), orders);
  const kernel: Partial<Syscalls> = {
    epollWait(epoll, pairs, max, waitMs, lookUs) {
      if (waitMs !== 0) return wait(epoll, pairs, max, waitMs, lookUs);
      pairs.set([EPOLLHUP, gone]);
      return 1;
    },
    receivePacket: receiveRequest,
    sendQueue: (fd) => (fd === gone ? 0 : 768),
    socket: () => 99,
    poll: () => 0,
  };
  threadOne(memory, orders, kernel).run();
  expect(readStats(shared)).toMatchObject({ granted: 1, refusedInFlight: 0 });
});

test("a socket that was handed over is not the thread's any more", () => {
  const { memory, shared } = idleConnection(1);
  serveOnce(memory, { receivePacket: receiveRequest, socket: () => 99, sendQueue: () => 0 });
  expect(readStats(shared).granted).toBeGreaterThan(0);
  expect(shared.thread(1, THREAD.scratch)).toBe(-1); // else it would be closed again after a failure
});

test.each([
  ["a refusal", encode({ kind: "request", domain: AF_NETLINK, type: SOCK_RAW, protocol: 0 })],
  ["the status", encode({ kind: "status-request" })],
])("reads no further from a client that has yet to receive %s", (_, request) => {
  const { memory } = idleConnection(1);
  let [waits, reads, readBefore] = [0, 0, -1];
  serveWhile(() => waits++ < 2, memory, {
    eventfdTake: () => ((readBefore = reads), 0),
    receivePacket(__: number, packet: Uint8Array) {
      reads++;
      packet.set(request);
      return request.byteLength;
    },
    sendQueue: () => 768,
  });
  expect(readBefore).toBe(1);
});
