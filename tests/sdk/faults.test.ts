/* System calls that fail in the middle of a function of the SDK, one at a time. */
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
  serve,
  Session,
  udp,
  xsocket,
} from "@xsocket/client";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import {
  errno,
  loadSyscalls,
  NOT_YET,
  SO_REUSEADDR,
  SOL_SOCKET,
  type Syscalls,
} from "@xsocket/xbind-native";
import { startServer } from "../harness/index.ts";
import { rejection } from "./observed.ts";

/** Makes the n-th call from now on fail with EPERM. */
function failing(name: "listen" | "setsockopt", n: number) {
  const sys: Syscalls = loadSyscalls();
  const real = sys[name];
  let calls = 0;
  return spyOn(sys, name).mockImplementation((...args: unknown[]): number =>
    ++calls === n ? -errno.EPERM : Reflect.apply(real, sys, args),
  );
}

const HOST = "127.0.0.1";
const socket = { data() {} };

/* Each function that listens or binds, at a free port. */
const FORMS = {
  listen: (via: string) => listen({ via, hostname: HOST, port: 0, socket }),
  listenSync: async (via: string) => listenSync({ via, hostname: HOST, port: 0, socket }),
  serve: (via: string) => serve({ via, hostname: HOST, port: 0, fetch: () => new Response() }),
  nodeListen: (via: string) => nodeListen(net.createServer(), { via, host: HOST }),
  "nodeListen of HTTP": (via: string) => nodeListen(http.createServer(), { via, host: HOST }),
  udp: (via: string) => udp({ via, socket }),
  nodeBind: (via: string) => nodeBind(dgram.createSocket("udp4"), { via }),
};
const LISTENING = ["listen", "listenSync", "serve", "nodeListen", "nodeListen of HTTP"] as const;

test.each([
  ...LISTENING.map((form) => [form, "listen", 2] as const),
  ["udp", "setsockopt", 2],
  ["nodeBind", "setsockopt", 1],
] as const)(
  "%s rejects with the error of each %s that fails, and leaves no descriptor open",
  async (form, name, calls) => {
    await using server = await startServer();
    const run = async () => {
      await using _ = await FORMS[form](server.path);
    };
    for (let n = 1; n <= calls + 1; n++) {
      using spy = failing(name, n);
      if (n > calls) await run();
      else expect(await rejection(run())).toMatchObject({ code: "EPERM" });
      expect(spy).toHaveBeenCalled();
    }
    for (let n = 0; n < 3; n++) await run(); // Bun has forgotten the closed descriptors
  },
);

test.each(LISTENING)(
  "%s rejects with Bun's EADDRINUSE if another socket listens first at the same port",
  async (form) => {
    await using server = await startServer();
    const sys = loadSyscalls();
    const rival = sys.socket(AF_INET, SOCK_STREAM, 0);
    sys.setsockopt(rival, SOL_SOCKET, SO_REUSEADDR, Int32Array.of(1), 4);
    const real = sys.getsockname.bind(sys);
    // two sockets may be bound to a port until one of them listens
    using spy = spyOn(sys, "getsockname").mockImplementation((fd, name, bytes) => {
      const length = real(fd, name, bytes);
      expect([sys.bind(rival, name, length), sys.listen(rival, 1)]).toEqual([0, 0]);
      return length;
    });
    const failure = { code: "EADDRINUSE", step: "listen", syscall: "listen" };
    await expect(FORMS[form](server.path)).rejects.toMatchObject({
      ...failure,
      address: HOST,
      port: 0,
    });
    sys.close(rival);
    expect(spy).toHaveBeenCalledTimes(1);
  },
);

const NO_WATCH = {
  name: "XSocketError",
  step: "adopt",
  code: "ENOSPC",
  remedy: expect.stringContaining("fs.epoll.max_user_watches"),
};

test("a connection that Bun cannot adopt is closed, and connectError is called once", async () => {
  await using server = await startServer();
  const sys = loadSyscalls();
  // Bun cannot poll this, just as if fs.epoll.max_user_watches were reached.
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
    expect(await rejection(connect(peer))).toMatchObject({ ...NO_WATCH, message: told[0] });
    expect(told).toHaveLength(1);
  }
  const given = nodeConnect({ via: server.path, host: "127.0.0.1", port: 9 });
  await expect(given).rejects.toMatchObject(NO_WATCH);
  expect(receive).toHaveBeenCalled();
  expect(made).toHaveBeenCalledTimes(3);
});

test.each(["listen", "listenSync", "udp", "nodeListen", "nodeListen of HTTP"] as const)(
  "%s closes a socket that Bun cannot adopt",
  async (form) => {
    await using server = await startServer();
    const sys = loadSyscalls();
    const real = sys.getsockname.bind(sys);
    const instead = (...args: Parameters<typeof real>): number => {
      const length = real(...args);
      const nothing = openSync("/dev/null", "r");
      sys.dupOnto(nothing, args[0]);
      sys.close(nothing);
      return length;
    };
    using name = spyOn(sys, "getsockname").mockImplementation(instead);
    using listening = spyOn(sys, "listen").mockReturnValue(0);
    using options = spyOn(sys, "setsockopt").mockReturnValue(0);
    expect((await rejection(FORMS[form](server.path))).step).toBe("adopt");
    expect(name).toHaveBeenCalled();
    expect(listening.mock.calls.length + options.mock.calls.length).toBeGreaterThan(0);
  },
);

test("a program that has no descriptor left for the answer gets EMFILE", async () => {
  await using server = await startServer();
  const { path: via } = server;
  using session = new Session({ via });
  const tooMany = NOT_YET - errno.EMFILE; // as receive() has it
  using receiving = spyOn(loadSyscalls(), "handoverReceive").mockReturnValue(tooMany);
  for (const ask of [() => session.socket(), () => xsocket({ via })])
    await expect(ask()).rejects.toMatchObject({ code: "EMFILE", step: "ask" });
  expect(receiving).toHaveBeenCalledTimes(2);
});

test("nodeBind closes a socket that Bun cannot adopt", async () => {
  await using server = await startServer();
  const made = dgram.createSocket("udp4");
  const refusal = { code: "ENOSPC", errno: 28, syscall: "open" };
  using bind = spyOn(made, "bind").mockImplementation(() => {
    made.emit("error", Object.assign(new Error("open ENOSPC"), refusal)); // as if max_user_watches were reached
    return made;
  });
  await expect(nodeBind(made, { via: server.path })).rejects.toMatchObject(NO_WATCH);
  expect(bind).toHaveBeenCalled();
  made.close();
});

test("serve rejects with a remedy if Bun.serve fails with ENOSPC", async () => {
  await using server = await startServer();
  const refusal = { code: "ENOSPC", errno: -28, syscall: "listen" };
  using start = spyOn(Bun, "serve").mockImplementation(() => {
    throw Object.assign(new Error("no space left on device, listen"), refusal);
  });
  const page = { via: server.path, port: 0, fetch: () => new Response() };
  await expect(serve(page)).rejects.toMatchObject(NO_WATCH);
  expect(start).toHaveBeenCalled();
});
