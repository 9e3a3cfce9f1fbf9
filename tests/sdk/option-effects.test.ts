/* Options that take effect in the target, seen from outside. */
import { describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import * as http from "node:http";
import { createServer } from "node:net";
import { connect, listen, nodeBind, nodeListen, serve, Session } from "@xsocket/client";
import { createNamespace, hasIpv6, startServer } from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";
import { fdOf, optionOf } from "./observed.ts";

test("the backlog is the given one, or else Bun's or Node's default", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const place = { via: server.path, hostname: "127.0.0.1", port: 0 };
  const nodePlace = { via: server.path, host: "127.0.0.1" };
  for (const [backlog, expected] of [
    [{}, ["511", "511", "512", "512"]],
    [{ backlog: 7 }, ["7", "7", "7", "7"]],
  ] as const) {
    const net = await nodeListen(createServer(), { ...nodePlace, ...backlog });
    const web = await nodeListen(http.createServer(), { ...nodePlace, ...backlog });
    const page = await serve({ ...place, ...backlog, fetch: () => new Response() });
    const listener = await listen({ ...place, ...backlog, socket: { data() {} } });
    const { stdout } = await target.run(["ss", "-Hltn"]);
    const queues = Array.from(stdout.matchAll(/^LISTEN 0 +(\d+)/gm), ([, most = ""]) => most);
    expect(queues.toSorted()).toEqual([...expected]);
    for (const each of [net, web]) await new Promise((resolve) => each.close(resolve));
    await page.stop(true);
    listener.stop(true);
  }
});

/* What ss prints for a listening socket. */
const isV6Only = /v6only:1/;

const testIpv6 = test.skipIf(!hasIpv6);

describe("options take effect in", () => {
  testIpv6("serve", async () => {
    const tls = await webCertificate();
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    using session = new Session({ via: server.path });
    const common = { via: session, hostname: "::", port: 0, ipv6Only: true, reusePort: true };
    const first = await serve({
      ...common,
      id: "mine",
      development: false,
      maxRequestBodySize: 10,
      idleTimeout: 60,
      error: () => new Response("caught", { status: 500 }),
      fetch() {
        throw new Error("for error()");
      },
    });
    expect(first).toMatchObject({ id: "mine", development: false });
    const url = `http://[::1]:${first.port}/`;
    const curl = async (...args: string[]): Promise<string> =>
      (await target.run(["curl", "-sSk", "-m", "10", ...args])).stdout;
    expect(await curl(url)).toBe("caught");
    expect(await curl("-d", "more than ten bytes", "-w", "%{http_code}", url)).toContain("413");
    const second = await serve({
      ...common,
      port: first.port ?? 0,
      fetch: () => new Response("2"),
    });
    expect((await target.run(["ss", "-Hltne"])).stdout).toMatch(isV6Only);
    const h2 = await serve({
      via: session,
      port: 0,
      tls,
      http2: true,
      fetch: () => new Response("2"),
    });
    const version = ["--http2", "-o", "/dev/null", "-w", "%{http_version}"];
    expect(await curl(...version, `https://127.0.0.1:${h2.port}/`)).toBe("2");
    for (const each of [first, second, h2]) await each.stop(true);
    const empty = { via: session, port: 0, fetch: () => new Response() };
    await expect(serve({ ...empty, http1: false })).rejects.toThrow(/http/i);
    await expect(serve({ ...empty, idleTimeout: 1000 })).rejects.toThrow("idleTimeout");
  });

  testIpv6("nodeBind, those of createSocket included", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
    const made = { type: "udp6", ipv6Only: true, reusePort: true } as const;
    const one = await nodeBind(createSocket(made), { via: server.path });
    expect(one.address().address).toBe("::");
    const place = { via: server.path, port: one.address().port };
    const two = await nodeBind(createSocket(made), { ...place, reusePort: undefined });
    const { stdout } = await target.run(["ss", "-Hlune"]);
    expect(stdout.match(/v6only:\d/g)).toEqual(["v6only:1", "v6only:1"]);
    const other = nodeBind(createSocket(made), { ...place, reusePort: false });
    await expect(other).rejects.toMatchObject({ code: "EADDRINUSE" });
    for (const socket of [one, two]) socket.close();
  });

  testIpv6("listen and connect", async () => {
    await using server = await startServer({ place: "own" });
    using session = new Session({ via: server.path });
    const ended = Promise.withResolvers<string>();
    using listener = await listen<string>({
      via: session,
      port: 0,
      data: "",
      exclusive: true,
      allowHalfOpen: true,
      socket: {
        data: (socket, data) => void (socket.data += data.toString()),
        end: (socket) => void socket.end(`got ${socket.data}`),
      },
    });
    const shared = listen({ via: session, port: listener.port, socket: { data() {} } });
    await expect(shared).rejects.toMatchObject({ code: "EADDRINUSE" });
    const options = { via: session, hostname: "::1", port: listener.port };
    const socket = await connect({
      ...options,
      allowHalfOpen: true,
      reusePort: true,
      ipv6Only: true,
      socket: { data: (_, data) => ended.resolve(data.toString()) },
    });
    const options4 = { ...options, localPort: socket.localPort, localAddress: "::1" };
    expect(optionOf(fdOf(socket), 41, 26)).toBe(1); // IPV6_V6ONLY
    expect(optionOf(fdOf(socket), 1, 15)).toBe(1); // SO_REUSEPORT
    const taken = connect({ ...options4, socket: { data() {} } });
    await expect(taken).rejects.toMatchObject({ code: "EADDRINUSE" });
    socket.write("half");
    socket.shutdown();
    expect(await ended.promise).toBe("got half");
    socket.end();
  });
});
