/* Calls that fail in the middle of a listen or the like, once with each of them. */
import { expect, spyOn, test } from "bun:test";
import * as dgram from "node:dgram";
import { openSync } from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import {
  connect,
  listen,
  listenSync,
  nodeBind,
  nodeConnect,
  nodeListen,
  udp,
  XSocketError,
} from "@xsocket/client";
import { errno, loadSyscalls, type Syscalls } from "@xsocket/xbind-native";
import { guardDescriptors, startServer } from "../harness/index.ts";

guardDescriptors();

/** Has the n-th call fail from now on. */
function failing(name: "listen" | "setsockopt", n: number) {
  const sys: Syscalls = loadSyscalls();
  const real = sys[name];
  let calls = 0;
  return spyOn(sys, name).mockImplementation((...args: unknown[]): number =>
    ++calls === n ? -errno.EPERM : Reflect.apply(real, sys, args),
  );
}

const socket = { data() {} };
const closed = (made: net.Server | dgram.Socket): void => void made.close();

test.each([
  ["udp", "setsockopt", 2, (via: string) => udp({ via, socket }).then((made) => made.close())],
  [
    "listen",
    "listen",
    2,
    (via: string) => listen({ via, port: 0, socket }).then((made) => made.stop(true)),
  ],
  [
    "listenSync",
    "listen",
    2,
    async (via: string) => listenSync({ via, port: 0, socket }).stop(true),
  ],
  [
    "nodeListen",
    "listen",
    2,
    (via: string) => nodeListen(net.createServer(), { via }).then(closed),
  ],
  [
    "nodeListen of HTTP",
    "listen",
    2,
    (via: string) => nodeListen(http.createServer(), { via }).then(closed),
  ],
  [
    "nodeBind",
    "setsockopt",
    1,
    (via: string) => nodeBind(dgram.createSocket("udp4"), { via }).then(closed),
  ],
] as const)("%s fails with each %s, and leaves nothing behind", async (_, name, calls, run) => {
  await using server = await startServer();
  for (let n = 1; n <= calls + 1; n++) {
    using spy = failing(name, n);
    const error: unknown = await run(server.path).catch((reason: unknown) => reason);
    expect(spy).toHaveBeenCalled();
    if (n > calls) expect(error).toBeUndefined();
    else expect(error).toBeInstanceOf(XSocketError);
    if (n <= calls) expect(error).toMatchObject({ code: "EPERM" });
  }
  for (let n = 0; n < 3; n++) await run(server.path); // no number is taken for one that Bun has
});

test("a connection that Bun does not take is closed, and connectError hears of it once", async () => {
  await using server = await startServer();
  const sys = loadSyscalls();
  // Bun can wait for this as little as where the kernel has no room for it.
  const real = sys.handoverReceive.bind(sys);
  const instead = (...args: Parameters<typeof real>): number => {
    const fd = real(...args);
    if (fd < 0) return fd;
    sys.close(fd);
    return openSync("/dev/null", "r");
  };
  using receive = spyOn(sys, "handoverReceive").mockImplementation(instead);
  using made = spyOn(sys, "connect").mockReturnValue(0);
  for (const tls of [false, true]) {
    const told: string[] = [];
    const handlers = {
      data() {},
      connectError: (_: unknown, { message }: Error) => void told.push(message),
    };
    const peer = { via: server.path, hostname: "127.0.0.1", port: 9, tls, socket: handlers };
    const error: unknown = await connect(peer).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: told[0] });
    expect(told).toHaveLength(1);
  }
  const given = nodeConnect({ via: server.path, host: "127.0.0.1", port: 9 });
  await expect(given).rejects.toMatchObject({
    step: "adopt",
    code: "ENOSPC",
    remedy: expect.stringContaining("fs.epoll.max_user_watches"),
  });
  expect(receive).toHaveBeenCalled();
  expect(made).toHaveBeenCalledTimes(3);
});
