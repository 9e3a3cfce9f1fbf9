import { expect, test } from "bun:test";
import * as dgram from "node:dgram";
import { nodeBind, serve, Session, udp } from "@xsocket/client";
import { createNamespace, hasIpv6, netnsCookie, startServer } from "../harness/index.ts";
import { fdOf, firstFrame } from "./observed.ts";

test.skipIf(!hasIpv6)("datagrams go to and from the target, over IPv4 and IPv6", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  for (const hostname of ["127.0.0.1", "::1"]) {
    using echo = await udp({
      via: server.path,
      hostname,
      port: 0,
      socket: { data: (socket, data, port, address) => void socket.send(data, port, address) },
    });
    expect(echo).toMatchObject({ hostname, address: { address: hostname, port: echo.port } });
    expect(target.listens("udp", echo.port)).toBe(true);
    const socat = ["socat", "-t2", "-", `UDP:${hostname.replace("::1", "[::1]")}:${echo.port}`];
    expect((await target.run(socat, { stdin: "ping" })).stdout).toBe("ping");
  }
});

test("a connected socket talks to one peer, which a name can give", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  using session = new Session({ via: server.path });
  const echo = await udp({
    via: session,
    socket: { data: (socket, data, port, address) => void socket.send(data, port, address) },
  });
  const answer = Promise.withResolvers<string>();
  const socket = await udp({
    via: session,
    binaryType: "uint8array",
    connect: { hostname: "localhost", port: echo.port },
    socket: { data: (_, data) => answer.resolve(new TextDecoder().decode(data)) },
  });
  expect(socket.remoteAddress).toMatchObject({ address: "127.0.0.1", port: echo.port });
  expect(netnsCookie(fdOf(socket))).toBe(await target.cookie());
  socket.send("one peer");
  expect(await answer.promise).toBe("one peer");
  for (const each of [echo, socket]) each.close();
});

test.skipIf(!hasIpv6)(
  "of a peer's IPv4 and IPv6 addresses one that can be reached is used",
  async () => {
    await using target = await createNamespace(); // with no route but those of lo
    await using server = await startServer({ place: target });
    const via = server.path;
    using echo = await udp({ via, hostname: "::1" });
    for (const place of [{}, { hostname: "::1" }]) {
      using peer = await udp({
        via,
        ...place,
        lookup: () => ["192.0.2.1", "::1"],
        connect: { hostname: "both", port: echo.port },
      });
      expect(peer.remoteAddress).toMatchObject({ address: "::1", port: echo.port });
    }
    using held = await udp({ via }); // its port is free for IPv6 alone
    using other = await udp({
      via,
      port: held.port,
      ipv6Only: true,
      lookup: () => ["127.0.0.1", "::1"],
      connect: { hostname: "both", port: echo.port },
    });
    expect(other.remoteAddress).toMatchObject({ address: "::1" });
    const from = { via, hostname: "localhost", connect: { hostname: "::1", port: echo.port } };
    const six = await udp(from);
    expect(six.address).toMatchObject({ address: "::1" });
    six.close();
    await expect(udp({ ...from, hostname: "127.0.0.1" })).rejects.toMatchObject({
      code: "EAFNOSUPPORT",
    });
    for (const hostname of ["::", "::ffff:127.0.0.1"]) {
      using mapped = await udp({ via, hostname, connect: { hostname: "127.0.0.1", port: 9 } });
      expect(mapped.remoteAddress).toMatchObject({ address: "::ffff:127.0.0.1" }); // as Bun's own
    }
    for (const kind of ["prohibit", "blackhole", "unreachable"]) {
      await target.run(["ip", "-6", "route", "replace", kind, "2001:db8::/32"]);
      using peer = await udp({
        via,
        lookup: () => ["2001:db8::1", "127.0.0.1"],
        connect: { hostname: "both", port: 9 },
      });
      expect(peer.remoteAddress).toMatchObject({ address: "127.0.0.1" });
    }
    const nowhere = udp({
      via,
      lookup: () => ["192.0.2.1"],
      connect: { hostname: "one", port: 9 },
    });
    await expect(nowhere).rejects.toMatchObject({
      code: "ENETUNREACH",
      step: "connect",
      asked: "send datagrams to one:9",
    });
    const ips = ["192.0.2.1", "2001:db8::1"]; // to the former there is no route at all
    for (const lookup of [() => ips, () => ips.toReversed()]) {
      const neither = udp({ via, lookup, connect: { hostname: "neither", port: 9 } });
      await expect(neither).rejects.toMatchObject({ code: "EHOSTUNREACH", step: "connect" });
    }
  },
);

test.skipIf(!hasIpv6)(
  "the zone of a link-local address is an interface of the target",
  async () => {
    await using target = await createNamespace();
    for (const command of [
      "link add there0 type veth peer name there1",
      "link set there1 up",
      "link set there0 up",
      "addr add fe80::77/64 dev there0 nodad",
    ])
      await target.run(["ip", ...command.split(" ")]);
    await using server = await startServer({ place: target });
    const hostname = "fe80::77%there0";
    const echo = await udp({ via: server.path, hostname });
    const peer = await udp({ via: server.path, connect: { hostname, port: echo.port } });
    expect(peer.remoteAddress).toMatchObject({ address: "fe80::77", port: echo.port });
    for (const each of [echo, peer]) each.close();
    using web = await serve({
      via: server.path,
      hostname,
      port: 0,
      fetch: () => new Response("hi"),
    });
    expect(web.url.href).toBe(`http://[fe80::77]:${web.port}/`);
  },
);

test("a socket that is not connected hears ICMP errors, too", async () => {
  await using server = await startServer({ place: "own" });
  for (const hostname of hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    const heard = Promise.withResolvers<unknown[]>();
    using socket = await udp({
      via: server.path,
      hostname,
      socket: { error: (...told) => heard.resolve(told) }, // Bun leaves out the socket that its types have
    });
    socket.send("nobody is there", 9, hostname);
    expect(await heard.promise).toContainEqual(expect.objectContaining({ code: "ECONNREFUSED" }));
  }
});

test("each name is looked up once, however many addresses the peer has", async () => {
  await using server = await startServer();
  const asked: string[] = [];
  const lookup = (name: string): string[] => {
    asked.push(name);
    return name === "own.test" ? ["127.0.0.1"] : ["2001:db8::1", "2001:db8::2", "127.0.0.1"];
  };
  const connect = { hostname: "peer.test", port: 9 };
  using socket = await udp({ via: server.path, hostname: "own.test", lookup, connect });
  expect(socket.remoteAddress.address).toBe("127.0.0.1");
  expect(asked).toEqual(["peer.test", "own.test"]);
});

test("no name is looked up for a port or a flag that is invalid", async () => {
  const asked: string[] = [];
  const lookup = (name: string): string[] => {
    asked.push(name);
    return [];
  };
  const connect = { hostname: "peer.test", port: 9 };
  for (const invalid of [{ port: 70_000 }, { reusePort: "no" }]) {
    const options: object = { lookup, connect, ...invalid };
    await expect(udp(options)).rejects.toMatchObject({ code: "EINVAL", step: "options" });
  }
  expect(asked).toEqual([]);
});

test("a name that has no address fails with the caller's line first in the stack", async () => {
  await using server = await startServer();
  const hostname = "none.test";
  for (const place of [{ hostname }, { connect: { hostname, port: 9 } }]) {
    const call = async () => await udp({ via: server.path, lookup: () => [], ...place });
    expect(await firstFrame(call)).toContain(import.meta.file);
  }
});

async function slowLookup(): Promise<string[]> {
  await Bun.sleep(300);
  return ["127.0.0.1"];
}

test("timeoutMs is for both look-ups together", async () => {
  await using server = await startServer();
  const names = { hostname: "a.test", connect: { hostname: "b.test", port: 9 } };
  await expect(
    udp({ via: server.path, ...names, lookup: slowLookup, timeoutMs: 400 }),
  ).rejects.toMatchObject({
    code: "ETIMEDOUT",
  });
});

test("invalid options are rejected, and a port is shared only if each socket asks for it", async () => {
  await using server = await startServer({ place: "own" });
  const { path: via } = server;
  const first = await udp({ via, hostname: "127.0.0.1" });
  const connect = { hostname: "192.0.2.1", port: 9 };
  const cases: [string, string, object][] = [
    ["EADDRINUSE", "bind", { hostname: "127.0.0.1", port: first.port }],
    ["EADDRNOTAVAIL", "bind", { hostname: "192.0.2.1" }],
    ["ENETUNREACH", "connect", { connect }],
    ["EINVAL", "options", { connect: { hostname: "127.0.0.1", port: 70_000 } }],
    ["EINVAL", "options", { port: 70_000 }],
    ["EINVAL", "options", { connect: {} }],
    ["EINVAL", "options", { connect: { hostname: 5, port: 9 } }],
  ];
  for (const [code, step, options] of cases)
    await expect(udp({ via, ...options })).rejects.toMatchObject({ code, step });
  await expect(Reflect.apply(udp, undefined, [{ via, socket: 5 }])).rejects.toThrow("object");
  // Nor is a port shared with a later SO_REUSEADDR, which would get the datagrams instead.
  const thief = { via, hostname: "127.0.0.1", port: first.port, reuseAddr: true };
  await expect(udp(thief)).rejects.toMatchObject({ code: "EADDRINUSE", syscall: "bind" });
  const node = await nodeBind(dgram.createSocket("udp4"), { via, host: "127.0.0.1" });
  const { port } = node.address();
  await expect(udp({ ...thief, port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  node.close();
  first.close();
  (await Reflect.apply(udp, undefined, [{ via, connect: undefined }])).close();
  const multicast = { via, host: "127.0.0.1", port: 5353, reuseAddr: true };
  const [udp4, other] = [dgram.createSocket("udp4"), dgram.createSocket("udp4")];
  for (const socket of [udp4, other]) await nodeBind(socket, multicast);
  for (const socket of [udp4, other]) socket.close();
  const made = { type: "udp4", reuseAddr: true } as const; // options of createSocket count as well
  const more = [dgram.createSocket(made), dgram.createSocket(made)];
  for (const socket of more) await nodeBind(socket, { ...multicast, reuseAddr: undefined });
  for (const socket of more) socket.close();
  const all = [await udp(multicast), await udp({ ...multicast, host: "localhost" })];
  expect(all.map(({ hostname }) => hostname)).toEqual(["127.0.0.1", "localhost"]);
  for (const socket of all) socket.close();
  const shared = { via, hostname: "127.0.0.1", reusePort: true };
  const one = await udp(shared);
  const two = await udp({ ...shared, port: one.port });
  for (const each of [one, two]) each.close();
});
