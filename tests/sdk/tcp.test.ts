import type { TLSOptions } from "bun";
import { describe, expect, test } from "bun:test";
import {
  connect,
  type Limits,
  listen,
  listenSync,
  Session,
  udp,
  XSocketError,
} from "@xsocket/client";
import {
  createNamespace,
  eventually,
  guardDescriptors,
  hasIpv6,
  here,
  netnsCookie,
  Place,
  refusing,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { makeCertificate } from "./certificate.ts";
import { fdOf, rejection } from "./observed.ts";
import { deafListener, silentServer } from "./silent.ts";

guardDescriptors();

function complain(): never {
  throw new Error("mine");
}

test.skipIf(!hasIpv6)(
  "nc from the target reaches a listener, which sees its real address",
  async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const seen: string[] = [];
    const listener = await listen({
      via: server.path,
      port: 0,
      data: { greeting: "welcome" },
      socket: {
        open: (socket) => void socket.write(`${socket.data.greeting}\n`),
        data: (socket, data) => {
          seen.push(socket.remoteAddress);
          socket.end(data);
        },
      },
    });
    expect(target.listens("tcp", listener.port)).toBe(true);
    expect(here.listens("tcp", listener.port)).toBe(false);
    for (const host of ["127.0.0.1", "::1"]) {
      const nc = ["nc", "-N", host, String(listener.port)];
      const { stdout } = await target.run(nc, { stdin: "ping" });
      expect(stdout).toBe("welcome\nping");
    }
    expect(seen).toEqual(["::ffff:127.0.0.1", "::1"]);
    listener.stop(true);
    expect(target.listens("tcp", listener.port)).toBe(false);
  },
);

describe("a listener", () => {
  test.skipIf(!hasIpv6).each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["localhost", "127.0.0.1"],
  ])("at %s has that hostname and a port, and is reached there", async (hostname, address) => {
    await using server = await startServer();
    for (const form of [listen, listenSync]) {
      const listener = await form({ via: server.path, hostname, port: 0, socket: { data() {} } });
      expect(listener.hostname).toBe(hostname);
      expect(listener.port).toBeGreaterThan(0);
      using socket = await connect({
        via: server.path,
        hostname: address,
        port: listener.port,
        socket: { data() {} },
      });
      expect(socket.remoteAddress).toBe(address);
      listener.stop(true);
    }
  });

  test.skipIf(!hasIpv6)("has the backlog, reusePort and ipv6Only that were asked for", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const common = { via: server.path, socket: { data() {} } };
    const first = await listen({
      ...common,
      hostname: "::",
      port: 0,
      backlog: 7,
      reusePort: true,
      ipv6Only: true,
    });
    const { port } = first;
    const { stdout } = await target.run(["ss", "-Hltn"]);
    expect(stdout).toMatch(new RegExp(`LISTEN 0 +7 +\\[::\\]:${port}`));
    const second = await listen({
      ...common,
      hostname: "::",
      port,
      reusePort: true,
      ipv6Only: true,
    });
    const v4 = await listen({ ...common, hostname: "0.0.0.0", port });
    const taken = listen({ ...common, hostname: "0.0.0.0", port });
    await expect(taken).rejects.toMatchObject({
      code: "EADDRINUSE",
      step: "bind",
      syscall: "listen",
    });
    for (const listener of [first, second, v4]) listener.stop();
    await target.run(["sysctl", "-qw", "net.ipv6.bindv6only=1"]); // must not make it IPv6 only
    using all = await listen({ ...common, port: 0 });
    using _ = await connect({ ...common, hostname: "127.0.0.1", port: all.port });
  });

  test.skipIf(!hasIpv6)(
    "that is impossible is rejected with an error code, in both forms",
    async () => {
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      const common = { via: server.path, port: 0, socket: { data() {} } };
      const cases: [string, object][] = [
        ["EADDRNOTAVAIL", { hostname: "192.0.2.1" }],
        ["EINVAL", { port: 65_536 }],
        ["EINVAL", { port: "http" }],
        ["EINVAL", { backlog: -1 }],
        ["EINVAL", { backlog: 2 ** 32 }],
        ["EINVAL", { timeoutMs: 0 }],
        ["EINVAL", { timeoutMs: Number.NaN }],
        ["EINVAL", { signal: "" }],
        ["EINVAL", { socket: undefined }],
        ["EINVAL", { socket: null }],
        ["EINVAL", { exclusive: true, reusePort: true }],
        ["ENOTSUP", { fd: 0 }],
        ["ENOTSUP", { unix: "/tmp/x" }],
        ["ENODEV", { hostname: "fe80::1%nonesuch" }],
      ];
      for (const [code, options] of cases)
        for (const form of [listen, async (o: typeof common) => listenSync(o)])
          await expect(form({ ...common, ...options }), code).rejects.toMatchObject({ code });
      await expect(listen({ ...common, socket: {} })).rejects.toThrow("callback");
      for (const name of [{ hostname: "name.test" }, { hostname: "localhost", lookup: () => [] }])
        expect(() => listenSync({ ...common, ...name })).toThrow("asynchronous form");
    },
  );
});

const WITHOUT_IPV6 = refusing("socket", 0, 10, "EAFNOSUPPORT");

test.each([
  ["a policy allows", "EPERM", here],
  ["the kernel has", "EAFNOSUPPORT", new Place(WITHOUT_IPV6, "/proc/self")],
])("where %s IPv4 alone, listen, connect and udp use IPv4", async (_, code, place) => {
  using dir = tempDir();
  await Bun.write(dir.join("policy"), '[[rule]]\naction = "allow"\nfamily = "AF_INET"\n');
  const args = code === "EPERM" ? ["--policy", dir.join("policy")] : [];
  await using server = await startServer({ place, args });
  const common = { via: server.path, socket: { data() {} } };
  for (const form of [listen, listenSync]) {
    const listener = await form({ ...common, port: 0 });
    expect(listener.hostname).toBe("0.0.0.0");
    const peer = await connect({ ...common, hostname: "localhost", port: listener.port });
    peer.terminate();
    listener.stop(true);
    const refused = connect({ ...common, hostname: "localhost", port: listener.port });
    await expect(refused).rejects.toMatchObject({ code: "ECONNREFUSED", step: "connect" });
  }
  const both = { lookup: () => ["::1", "127.0.0.1"], connect: { hostname: "both", port: 9 } };
  const datagrams = await udp({ via: server.path, ...both });
  expect(datagrams.remoteAddress).toMatchObject({ address: "127.0.0.1" });
  datagrams.close();
  const v6 = { ...common, hostname: "::1", port: 0 };
  for (const form of [listen, async (o: typeof v6) => listenSync(o)])
    await expect(form(v6)).rejects.toMatchObject({ code, step: "ask" });
});

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
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      const names = { lookup: () => ["127.0.0.1", "::1"] };
      const common = { via: server.path, port: 1, socket: { data() {} }, ...names };
      const from = (localAddress: string, hostname: string): Promise<unknown> =>
        rejection(connect({ ...common, hostname, localAddress }));
      for (const local of ["127.0.0.1", "::1"])
        expect(await from(local, "both.test")).toMatchObject({ code: "ECONNREFUSED" });
      expect(await from("127.0.0.1", "::1")).toMatchObject({ code: "EINVAL", step: "options" });
    },
  );

  test("that fails rejects with the reason, and calls connectError with it and the socket's data", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
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
      const error: unknown = await connecting.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(XSocketError);
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
    let stack: unknown;
    try {
      await connect({ via: server.path, hostname: "127.0.0.1", port: 9, socket: { data() {} } });
    } catch (error) {
      stack = Reflect.get(Object(error), "stack");
    }
    const [first] = /^ +at .*$/m.exec(String(stack)) ?? [];
    expect(first).toContain(import.meta.file);
  });

  test("that fails uncaught prints what has failed, and no source line of the package", async () => {
    await using server = await startServer();
    const peer = `{ via: "${server.path}", hostname: "127.0.0.1", port: 9, socket: { data() {} } }`;
    const program = `import { connect } from "@xsocket/client"; await connect(${peer});`;
    const options = { cwd: import.meta.dir };
    const { code, stderr } = await here.run([process.execPath, "-e", program], options);
    expect(stderr).toStartWith("XSocketError: cannot connect to 127.0.0.1:9");
    expect(stderr).toMatch(/at connect \(@xsocket\/client\/connect\.ts:/);
    expect(code).toBe(1);
  });

  test("that gets no answer ends with the deadline or the signal", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
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
    open.push(await connect({ ...common, ...two, timeoutMs: 2000, ipv6Only: true }));
    expect(open.at(-1)?.remoteAddress).toBe("127.0.0.2");
    other.stop(true);
    for (const socket of open) socket.terminate();
  });

  test("through a server that does not answer ends with the deadline", async () => {
    using dir = tempDir();
    const via = dir.join("control");
    using _ = silentServer(via, 8);
    using session = new Session({ via });
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
    const two = { hostname: "two.test", lookup: () => ["127.0.0.1", "127.0.0.2"] };
    const asked = connect({ ...common, ...two, port: listener.port, timeoutMs: 2000 });
    await Bun.sleep(1200);
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

describe("TLS", () => {
  test("is off if tls is false", async () => {
    await using server = await startServer();
    const { promise, resolve } = Promise.withResolvers<string>();
    const common = { via: server.path, hostname: "127.0.0.1" };
    const socket = { data: (_: unknown, data: Buffer) => resolve(data.toString()) };
    using listener = await listen({ ...common, port: 0, socket });
    using peer = await connect({ ...common, port: listener.port, tls: false, socket });
    peer.write("plain");
    expect(await promise).toBe("plain");
  });

  test.skipIf(!hasIpv6)(
    "works for listeners and connections, which check the host name",
    async () => {
      using dir = tempDir();
      const { key, cert } = await makeCertificate(dir.path, "web.test");
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      using listener = await listen({
        via: server.path,
        hostname: "::",
        port: 0,
        tls: { key, cert },
        socket: { data: (socket, data) => void socket.write(`secret ${data.toString()}`) },
      });
      const connection = `127.0.0.1:${listener.port}`;
      const s_client = ["openssl", "s_client", "-quiet", "-verify_quiet", "-connect", connection];
      await using program = target.spawn(s_client, { stdin: "" });
      await program.write("word");
      await program.says(/secret word/);
      const shake = async (hostname: string, tls: TLSOptions | true = { ca: cert }) => {
        const done = Promise.withResolvers<boolean>();
        const socket = await connect({
          via: server.path,
          hostname,
          port: listener.port,
          lookup: () => ["127.0.0.1"],
          tls,
          socket: { data() {}, handshake: (_, ok) => done.resolve(ok) },
        });
        return done.promise.finally(() => socket.terminate());
      };
      expect(await shake("web.test")).toBe(true);
      expect(await shake("127.0.0.1")).toBe(true);
      expect(await shake("[::1]")).toBe(true);
      expect(await shake("127.0.0.2")).toBe(false);
      expect(await shake("other.test")).toBe(false);
      expect(await shake("web.test", true)).toBe(false); // signed by no CA that the machine trusts
    },
  );
});
