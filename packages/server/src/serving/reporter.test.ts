import { expect, test } from "bun:test";
import { EPOLLIN, errno } from "@xsocket/xbind-native";
import {
  CONNECTION,
  idleConnection,
  logTo,
  receiveRequest,
  threadOne,
  waitOnce,
} from "../../test/loop.ts";
import { WAKE_DATA } from "./acceptor.ts";
import type { Order } from "./thread.ts";

test.each([
  [
    errno.EPERM,
    [
      "the kernel does not let this server make AF_INET SOCK_STREAM IPPROTO_TCP (EPERM): a raw or packet socket needs CAP_NET_RAW",
    ],
  ],
  [errno.EAFNOSUPPORT, []],
])(
  "logs a socket that a rule allows and the kernel refuses only if it is forbidden (errno %d)",
  (error, sentences) => {
    const { memory } = idleConnection(1);
    const orders: Order[] = [];
    const said: string[] = [];
    let requests = 1;
    const kernel = {
      epollWait: waitOnce(EPOLLIN, orders),
      receivePacket: (fd: number, bytes: Uint8Array) =>
        requests-- > 0 ? receiveRequest(fd, bytes) : -errno.EAGAIN,
      socket: () => -error,
    };
    threadOne(memory, orders, kernel, logTo(said)).run();
    expect(said).toEqual(sentences);
  },
);

test("logs a lack of descriptors even in a second with many forbidden sockets", () => {
  const { memory } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  let left = 30; // more than are said in a second
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (left < 0) orders.push({ kind: "stop" });
      pairs.set(left < 0 ? [EPOLLIN, WAKE_DATA] : [EPOLLIN, CONNECTION]);
      return 1;
    },
    sendQueue: () => 0,
    receivePacket: receiveRequest,
    socket: () => (left-- > 0 ? -errno.EPERM : -errno.EMFILE),
  };
  threadOne(memory, orders, kernel, logTo(said)).run();
  expect(said.filter((message) => !message.includes("EPERM"))).toEqual([
    "cannot make sockets for now: EMFILE. Raise the limit of open files (ulimit -n, LimitNOFILE=)",
  ]);
});

test("logs ETOOMANYREFS once until a socket is handed over", () => {
  const { memory } = idleConnection(1);
  const orders: Order[] = [];
  const said: string[] = [];
  const answers = [false, false, true, false];
  const kernel = {
    epollWait(_: number, pairs: Uint32Array) {
      if (answers.length === 0) orders.push({ kind: "stop" });
      pairs.set([EPOLLIN, answers.length === 0 ? WAKE_DATA : CONNECTION]);
      return 1;
    },
    sendQueue: () => 0,
    receivePacket: receiveRequest,
    socket: () => CONNECTION + 1,
    sendPacket: (_: number, __: Uint8Array, length: number, socket: number) =>
      socket < 0 || answers.shift() ? length : -errno.ETOOMANYREFS,
  };
  threadOne(memory, orders, kernel, logTo(said)).run();
  const words = "cannot hand sockets over for now: ETOOMANYREFS. ";
  expect(said.map((message) => message.slice(0, words.length))).toEqual([words, words]);
});
