/* Listeners, and TLS on both ends. */
import type { TLSOptions } from "bun";
import { describe, expect, test } from "bun:test";
import { connect, listen, listenSync, udp } from "@xsocket/client";
import {
  createNamespace,
  hasIpv6,
  here,
  Place,
  refusing,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { makeCertificate, webCertificate } from "./certificate.ts";

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

  test.skipIf(!hasIpv6)("has the reusePort and ipv6Only that were asked for", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const common = { via: server.path, socket: { data() {} } };
    const shared = { ...common, hostname: "::", reusePort: true, ipv6Only: true };
    const first = await listen({ ...shared, port: 0 });
    const { port } = first;
    const second = await listen({ ...shared, port });
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
      await using server = await startServer({ place: "own" });
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
  const family = code === "EPERM" ? 'family = "AF_INET"' : "";
  await using server = await startServer({
    place,
    policy: `[[rule]]\naction = "allow"\n${family}`,
  });
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
      const { key, cert } = await webCertificate();
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

  test.each(["key: Bun.file(pipe)", "keyFile: pipe"])(
    "connect reads a pipe once: %s",
    async (key) => {
      using dir = tempDir();
      const made = await makeCertificate(dir.path, "web.test");
      await using server = await startServer();
      using listener = await listen({
        via: server.path,
        hostname: "127.0.0.1",
        port: 0,
        tls: { ...made, ca: made.cert, requestCert: true },
        socket: { data() {}, handshake: (socket, isKnown) => void socket.end(String(isKnown)) },
      });
      const program = `
      import { connect } from "@xsocket/client";
      const [, via, port, certFile, pipe] = process.argv;
      const tls = { certFile, ${key}, rejectUnauthorized: false };
      const socket = { data: (_, data) => console.log(String(data)) };
      await connect({ via, hostname: "127.0.0.1", port, tls, socket });`;
      const pipe = dir.join("pipe");
      await here.run(["mkfifo", pipe]);
      await using _ = here.spawn(["sh", "-c", 'cat "$0" > "$1"', dir.join("key.pem"), pipe]);
      const words = [server.path, String(listener.port), dir.join("cert.pem"), pipe];
      const { stdout, stderr } = await here.run([process.execPath, "-e", program, ...words]);
      expect(stdout, stderr).toBe("true\n");
    },
  );
});
