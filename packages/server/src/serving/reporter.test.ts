import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { errno } from "@xsocket/xbind-native";
import { tempDir } from "../../../../tests/harness/temp.ts";
import {
  CONNECTION,
  DESCRIPTORS,
  idleConnection,
  logTo,
  receiveRequest,
  serveOnce,
  serveWhile,
} from "../../test/loop.ts";
import { threadContext, threadOptions } from "../../test/thread.ts";
import { Peer } from "./peer.ts";
import { Reporter } from "./reporter.ts";

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
    const said: string[] = [];
    let requests = 1;
    const kernel = {
      receivePacket: (fd: number, bytes: Uint8Array) =>
        requests-- > 0 ? receiveRequest(fd, bytes) : -errno.EAGAIN,
      socket: () => -error,
    };
    serveOnce(memory, kernel, logTo(said));
    expect(said).toEqual(sentences);
  },
);

test("logs a lack of descriptors even in a second with many forbidden sockets", () => {
  const { memory } = idleConnection(1);
  const said: string[] = [];
  let left = 30; // more than are said in a second
  const kernel = {
    sendQueue: () => 0,
    receivePacket: receiveRequest,
    socket: () => (left-- > 0 ? -errno.EPERM : -errno.EMFILE),
  };
  serveWhile(() => left >= 0, memory, kernel, logTo(said));
  expect(said.filter((message) => !message.includes("EPERM"))).toEqual([
    "cannot make sockets for now: EMFILE. Raise the limit of open files (ulimit -n, LimitNOFILE=)",
  ]);
});

test("logs ETOOMANYREFS once until a socket is handed over", () => {
  const { memory } = idleConnection(1);
  const said: string[] = [];
  const answers = [false, false, true, false];
  const kernel = {
    sendQueue: () => 0,
    receivePacket: receiveRequest,
    socket: () => CONNECTION + 1,
    sendPacket: (_: number, __: Uint8Array, length: number, socket: number) =>
      socket < 0 || answers.shift() ? length : -errno.ETOOMANYREFS,
  };
  serveWhile(() => answers.length > 0, memory, kernel, logTo(said));
  const words = "cannot hand sockets over for now: ETOOMANYREFS. ";
  expect(said.map((message) => message.slice(0, words.length))).toEqual([words, words]);
});

test("a refusal at a bound has its line in the audit file", () => {
  using dir = tempDir();
  const auditFd = openSync(dir.join("audit"), "w");
  const { memory } = idleConnection(1);
  const context = threadContext({ ...threadOptions(memory, DESCRIPTORS), auditFd }, {});
  const peer = new Peer(context.sys, context.shared);
  peer.pointAt(CONNECTION);
  const request = { kind: "socket", domain: 2, type: 1, protocol: 0 } as const;
  new Reporter(context, peer, request).tooMany(CONNECTION, "sockets in flight");
  closeSync(auditFd);
  expect(JSON.parse(readFileSync(dir.join("audit"), "utf8"))).toMatchObject({
    outcome: "refused",
    error: "ETOOMANYREFS",
    reason: "sockets in flight",
  });
});
