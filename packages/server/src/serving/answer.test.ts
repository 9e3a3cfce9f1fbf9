import { expect, test } from "bun:test";
import { AF_PACKET, encode, SOCK_RAW } from "@xsocket/protocol";
import { EPOLLHUP, EPOLLIN, errno } from "@xsocket/xbind-native";
import { CONNECTION, idleConnection, threadOne, waitOnce } from "../../test/loop.ts";
import { COUNTER } from "../memory/memory.ts";
import { readStats } from "../stats.ts";
import { WAKE_DATA } from "./acceptor.ts";
import type { Order } from "./thread.ts";

test.each([
  ["the end of a connection", 0, 0],
  ["a read that was interrupted", -errno.EINTR, 1],
])("does not count %s as malformed", (_, length, open) => {
  const { memory, shared } = idleConnection(1);
  const orders: Order[] = [];
  let left = -1;
  const kernel = {
    epollWait: waitOnce(EPOLLIN, orders),
    eventfdTake: () => ((left = shared.connections()), 0),
    receivePacket: () => length,
  };
  threadOne(memory, orders, kernel).run();
  expect([left, shared.sum(COUNTER.malformed)]).toEqual([open, 0]);
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
  expect(readStats(shared)).toMatchObject({ granted: 8, refusedInFlight: 1, failed: 0 });
});
