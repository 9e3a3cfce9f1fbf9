/* Connections made by connect(). */
import { describe, expect, test } from "bun:test";
import { connect, type Limits, listen, listenSync, Session } from "@xsocket/client";
import {
  createNamespace,
  eventually,
  hasIpv6,
  here,
  netnsCookie,
  startServer,
} from "../harness/index.ts";
import { fdOf, firstFrame, rejection } from "./observed.ts";
import { deafListener, SilentServer } from "./silent.ts";

function complain(): never {
  throw new Error("mine");
}

/* The peer, as an error states it, and the error's address. */
const BY_IPV6 = [
  [{ hostname: "[::1]" }, "connect to [::1]:9", "::1"],
  [{ hostname: "::1%lo" }, "connect to [::1%lo]:9", "::1%lo"],
] as const;

describe("a connection", () => {
  test("leaves from the target and knows the addresses of both ends", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    await using nc = target.spawn(["nc", "-l", "-p", "4000", "-s", "127.0.0.1"], { stdin: "" });
    await eventually("nc to listen", () => target.listens("tcp", 4000));
    const received = Promise.withResolvers<string>();
    const socket = await connect({
      via: server.path,
      host: "localhost",
      port: 4000,
      localAddress: "127.0.0.9",
      localPort: 4001,
      data: "mine",
      socket: { data: ({ data }, bytes) => received.resolve(data + bytes.toString()) },
    });
    expect(socket).toMatchObject({ remoteAddress: "127.0.0.1", remotePort: 4000 });
    expect(socket).toMatchObject({ localAddress: "127.0.0.9", localPort: 4001 });
    const peer = { via: server.path, host: "127.0.0.1", port: 4000, socket: { data() {} } };
    const second = connect({ ...peer, localAddress: "127.0.0.9", localPort: 4001 });
    await expect(second).rejects.toThrow(/localPort has a connection to that peer \(EADDRNOTAVAIL/);
    socket.write("out\n");
    await nc.says(/out/);
    await nc.write(" in\n");
    expect(await received.promise).toBe("mine in\n");
    socket.end();
    await nc.finished();
  });

  test.skipIf(!hasIpv6)(
    "is made only to addresses of the same IP version as localAddress",
    async () => {
      await using server = await startServer({ place: "own" });
      const names = { lookup: () => ["127.0.0.1", "::1"] };
      const common = { via: server.path, port: 1, socket: { data() {} }, ...names };
      const from = (localAddress: string, hostname: string): Promise<unknown> =>
        rejection(connect({ ...common, hostname, localAddress }));
      for (const local of ["127.0.0.1", "::1"])
        expect(await from(local, "both.test")).toMatchObject({ code: "ECONNREFUSED" });
      expect(await from("127.0.0.1", "::1")).toMatchObject({ code: "EINVAL", step: "options" });
      const wrong = connect({ ...common, hostname: "127.0.0.1", localPort: 65_536 });
      await expect(wrong).rejects.toThrow("localPort is 65536");
    },
  );

  test("that fails rejects with the reason, and calls connectError with it and the socket's data", async () => {
    await using server = await startServer({ place: "own" });
    const cases: [string, string, { hostname: string; port?: number }][] = [
      ["ECONNREFUSED", "connect", { hostname: "127.0.0.1" }],
      ["ECONNREFUSED", "connect", { hostname: "localhost" }],
      ["ENETUNREACH", "connect", { hostname: "192.0.2.1" }],
      ["EINVAL", "options", { hostname: "127.0.0.1", port: -1 }],
    ];
    for (const [code, step, peer] of cases) {
      const told: unknown[] = [];
      const connecting = connect({
        via: server.path,
        port: 9,
        ...peer,
        data: 5,
        socket: {
          data() {},
          connectError: (socket, error) => void told.push(socket.data, error),
        },
      });
      const error = await rejection(connecting);
      expect(error).toMatchObject({ code, step });
      if (step === "connect") expect(told).toEqual([5, error]);
    }
    const peer = { via: server.path, hostname: "127.0.0.1", port: 9 };
    await expect(
      connect({ ...peer, socket: { data() {}, connectError: complain } }),
    ).rejects.toThrow("mine");
    // an error names the address that failed, unless that is what was given
    const two = { ...peer, hostname: "two.test", lookup: () => ["127.0.0.1", "127.0.0.2"] };
    for (const [to, asked, address] of [
      [peer, "connect to 127.0.0.1:9", "127.0.0.1"],
      [two, "connect to two.test:9 at 127.0.0.2", "127.0.0.2"],
      ...(hasIpv6 ? BY_IPV6 : []),
    ] as const)
      expect(await rejection(connect({ ...peer, ...to, socket: { data() {} } }))).toMatchObject({
        asked,
        syscall: "connect",
        address,
        port: 9,
      });
  });

  test("that fails has the caller's line first in its stack", async () => {
    await using server = await startServer();
    const place = { via: server.path, hostname: "127.0.0.1", port: 9 };
    const call = async () => await connect({ ...place, socket: { data() {} } });
    expect(await firstFrame(call)).toContain(import.meta.file);
  });

  test("that fails uncaught prints what has failed, and no source line of the package", async () => {
    await using server = await startServer();
    const peer = `{ via: "${server.path}", hostname: "127.0.0.1", port: 9, socket: { data() {} } }`;
    const program = `import { connect } from "@xsocket/client"; await connect(${peer});`;
    const options = { cwd: import.meta.dir };
    const { code, stderr } = await here.run([process.execPath, "-e", program], options);
    expect(stderr).toStartWith("XSocketError: cannot connect to 127.0.0.1:9");
    expect(stderr).toMatch(/at connected \(@xsocket\/client\/connect\.ts:/);
    expect(code).toBe(1);
  });

  test("that gets no answer ends with the deadline or the signal", async () => {
    await using server = await startServer({ place: "own" });
    using deaf = deafListener(server.path);
    const open: Bun.Socket[] = [];
    const attempt = async (limits: Limits): Promise<unknown> => {
      const peer = { hostname: "127.0.0.1", port: deaf.port, socket: { data() {} } };
      try {
        open.push(await connect({ via: server.path, ...peer, ...limits }));
        return undefined;
      } catch (error) {
        return error;
      }
    };
    // The backlog takes one or two before it is full.
    const failure = await eventually("a connection without an answer", () =>
      attempt({ timeoutMs: 1000 }),
    );
    expect(failure).toMatchObject({ code: "ETIMEDOUT", step: "connect" });
    const aborted = await attempt({ signal: AbortSignal.timeout(300) });
    expect(aborted).toMatchObject({ name: "TimeoutError" });
    const common = { via: server.path, port: deaf.port, socket: { data() {} } };
    // also for a name with more addresses than there is time for
    const many = { hostname: "many.test", lookup: () => Array<string>(30_000).fill("127.0.0.1") };
    const from = performance.now();
    const late = connect({ ...common, ...many, timeoutMs: 300 });
    await expect(late).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(performance.now() - from).toBeLessThan(10_000);
    // the next address has its share of the time
    const other = await listen({ ...common, hostname: "127.0.0.2" });
    const two = { hostname: "two.test", lookup: () => ["127.0.0.1", "127.0.0.2"] };
    open.push(await connect({ ...common, ...two, timeoutMs: 4000, ipv6Only: true }));
    expect(open.at(-1)?.remoteAddress).toBe("127.0.0.2");
    other.stop(true);
    for (const socket of open) socket.terminate();
  });

  test("through a server that does not answer ends with the deadline", async () => {
    using server = new SilentServer();
    using session = new Session({ via: server.path });
    const place = { hostname: "127.0.0.1", port: 80, socket: { data() {} }, timeoutMs: 100 };
    const given = { via: session, ...place };
    const from = performance.now();
    for (const form of [connect, listen, async (o: typeof given) => listenSync(o)])
      await expect(form(given)).rejects.toMatchObject({ code: "ETIMEDOUT", step: "ask" });
    expect(performance.now() - from).toBeLessThan(5000); // the default of one
  });

  test("through a slow server still goes to the first address", async () => {
    await using server = await startServer();
    using session = new Session({ via: server.path });
    const common = { via: session, socket: { data() {} } };
    using listener = await listen({ ...common, hostname: "127.0.0.1", port: 0 });
    await server.program.pause();
    const addresses = ["127.0.0.1", ...Array<string>(99).fill("127.0.0.2")];
    const many = { hostname: "many.test", lookup: () => addresses };
    const timeoutMs = 30_000; // 300 ms for each address, which the server may exceed
    const asked = connect({ ...common, ...many, port: listener.port, timeoutMs });
    await Bun.sleep(500);
    server.program.kill("SIGCONT");
    const socket = await asked;
    expect(socket.remoteAddress).toBe("127.0.0.1");
    socket.terminate();
  });

  test.skipIf(!hasIpv6)("is one of many over one session, all in the target", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using session = new Session({ via: server.path });
    using listener = await listen({
      via: session,
      port: 0,
      socket: { data: (socket, data) => void socket.write(data) },
    });
    const cookie = await target.cookie();
    const talk = async (i: number): Promise<void> => {
      const answer = Promise.withResolvers<string>();
      const socket = await connect({
        via: session,
        hostname: i % 2 ? "::1" : "127.0.0.1",
        port: listener.port,
        socket: { data: (_, data) => answer.resolve(data.toString()) },
      });
      expect(netnsCookie(fdOf(socket))).toBe(cookie);
      socket.write(`number ${i}`);
      expect(await answer.promise).toBe(`number ${i}`);
      socket.end();
    };
    await Promise.all(Array.from({ length: 200 }, (__, i) => talk(i)));
  });
});
