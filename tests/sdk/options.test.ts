/*
 * Every option key that Bun's types know for serve, listen, connect and udpSocket, read from the types
 * themselves: each must be in exactly one of the lists below, and each list has its test. A new Bun
 * with a new key fails here until somebody has decided what it means through a server.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync, realpathSync } from "node:fs";
import { createSocket } from "node:dgram";
import * as http from "node:http";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import {
  connect,
  fetchVia,
  HttpAgent,
  HttpsAgent,
  listen,
  listenSync,
  nodeBind,
  nodeConnect,
  nodeListen,
  serve,
  serveSync,
  Session,
  udp,
  xsocket,
  xsocketSync,
} from "@xsocket/client";
import {
  createNamespace,
  guardDescriptors,
  hasIpv6,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { makeCertificate } from "./certificate.ts";
import { fdOf, optionOf } from "./observed.ts";

guardDescriptors();

const BUN = realpathSync(Bun.resolveSync("@types/bun/package.json", import.meta.dir));
const TYPES = dirname(Bun.resolveSync("bun-types/package.json", dirname(BUN)));

/* The property names of an interface or type in one of Bun's declaration files. */
function keysOf(file: string, ...names: string[]): string[] {
  const text = readFileSync(join(TYPES, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const keys = names.flatMap((name) => {
    const head = new RegExp(`(interface|type) ${name}\\b[^{]*\\{`).exec(text);
    if (!head) throw new Error(`Bun's types have no ${name} in ${file}`);
    return propertiesAt(text, head.index + head[0].length);
  });
  return [...new Set(keys)].toSorted();
}

/* The names at the outermost level of the braces that open before `start`. */
function propertiesAt(text: string, start: number): string[] {
  let depth = 1;
  let outermost = "";
  for (const character of text.slice(start)) {
    if ("})]".includes(character)) depth--;
    if (depth === 0) break;
    if (depth === 1) outermost += character;
    if ("{([".includes(character)) depth++;
  }
  return [...outermost.matchAll(/(?:^|[;\n}])\s*(?:readonly\s+)?(\w+)\??\s*(?=[:(<])/g)].map(
    ([, name = ""]) => name,
  );
}

const SERVE = {
  observed: {
    tls: "serve.test.ts",
    fetch: "serve.test.ts",
    routes: "serve.test.ts",
    websocket: "serve.test.ts",
    hostname: "serve.test.ts",
    port: "serve.test.ts",
    maxRequestBodySize: "below",
    development: "below",
    error: "below",
    id: "below",
    reusePort: "below",
    ipv6Only: "below",
    http2: "below",
    http1: "below",
    idleTimeout: "below",
  },
  refused: { unix: "/tmp/x", http3: true },
};
const LISTEN = {
  observed: {
    socket: "tcp.test.ts",
    data: "tcp.test.ts",
    tls: "tcp.test.ts",
    hostname: "tcp.test.ts",
    port: "tcp.test.ts",
    allowHalfOpen: "below",
    exclusive: "below",
  },
  refused: { unix: "/tmp/x", fd: 3 },
};
const CONNECT = {
  observed: {
    socket: "connect.test.ts",
    data: "connect.test.ts",
    tls: "tcp.test.ts",
    hostname: "connect.test.ts",
    port: "connect.test.ts",
    allowHalfOpen: "below",
    reusePort: "below",
    ipv6Only: "below",
  },
  refused: { exclusive: true, unix: "/tmp/x", fd: 3 },
};
const UDP = {
  observed: {
    hostname: "udp.test.ts",
    port: "udp.test.ts",
    socket: "udp.test.ts",
    binaryType: "udp.test.ts",
    connect: "udp.test.ts",
  },
  refused: { fd: 3, unix: "/tmp/x" },
};

function named({ observed, refused }: { observed: object; refused: object }): string[] {
  return [...Object.keys(observed), ...Object.keys(refused)].toSorted();
}

test("every option of Bun's types is either passed on and tested, or refused", () => {
  const serveTypes = ["BaseServeOptions", "HostnamePortServeOptions", "UnixServeOptions"];
  const handlers = ["fetch", "routes", "websocket"]; // in unions, which have no single list of keys
  expect([...keysOf("serve.d.ts", ...serveTypes), ...handlers].toSorted()).toEqual(named(SERVE));
  const common = ["SocketOptions", "UnixSocketOptions", "FdSocketOptions"];
  expect(keysOf("bun.d.ts", ...common, "TCPSocketListenOptions")).toEqual(named(LISTEN));
  expect(keysOf("bun.d.ts", ...common, "TCPSocketConnectOptions")).toEqual(named(CONNECT));
  expect([...keysOf("bun.d.ts", "ConnectSocketOptions"), "fd", "unix"].toSorted()).toEqual(
    named(UDP),
  );
});

test("refused options reject with ENOTSUP and an error that names them", async () => {
  const forms: [(options: never) => Promise<unknown>, object, object][] = [
    [serve, SERVE.refused, { fetch: () => new Response() }],
    [listen, LISTEN.refused, { socket: { data() {} } }],
    [connect, CONNECT.refused, { socket: { data() {} }, hostname: "127.0.0.1" }],
    [connect, { fd: 3, unix: "/tmp/x" }, { socket: { data() {} } }], // as Bun.connect takes them
    [udp, UDP.refused, {}],
  ];
  for (const [form, refused, rest] of forms)
    for (const [key, value] of Object.entries(refused)) {
      const options = { via: "/nowhere", port: 1, ...rest, [key]: value };
      const refusal = Reflect.apply(form, undefined, [options]);
      await expect(refusal, key).rejects.toMatchObject({ code: "ENOTSUP", step: "options" });
      await expect(refusal, key).rejects.toThrow(key);
    }
});

test("each function rejects its own options misspelt, and suggests the right name", async () => {
  const limits = ["signal", "timeoutMs"];
  const names = ["lookup", "nameservers"];
  const through = ["via", ...limits, ...names];
  const bound = [...through, "host", "port", "reusePort", "ipv6Only"];
  const connected = [...through, "host", "port", "localAddress", "localPort"];
  const kind = ["family", "domain", "type", "protocol", "nonblocking"];
  const [server, datagrams] = [createServer(), createSocket("udp4")];
  const forms: [(options: never) => unknown, string[]][] = [
    [xsocket, ["via", ...kind, ...limits]],
    [xsocketSync, ["via", ...kind, ...limits]],
    [(options) => new Session(options), ["via", "idleMs"]],
    [connect, [...connected, "hostname", "reusePort", "ipv6Only"]],
    [listen, [...bound, "hostname", "backlog"]],
    [serve, [...bound, "hostname", "backlog"]],
    [udp, [...bound, "hostname", "reuseAddr"]],
    [nodeConnect, connected],
    [(options) => nodeListen(server, options), [...bound, "backlog"]],
    [(options) => nodeBind(datagrams, options), [...bound, "reuseAddr"]],
    [(options) => new HttpAgent(options), through],
    [(options) => new HttpsAgent(options), through],
    [(options) => fetchVia("/nowhere", options), ["timeoutMs", ...names]],
  ];
  for (const [form, keys] of forms)
    for (const key of keys) {
      const refusal = Promise.try(() => Reflect.apply(form, undefined, [{ [`${key}x`]: 1 }]));
      await expect(refusal, key).rejects.toThrow(RegExp(`no option ${key}x .*Did you mean`));
    }
  datagrams.close();
});

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

test("the stack of an error that Bun throws begins at the caller's line", async () => {
  await using server = await startServer();
  const via = server.path;
  using there = fetchVia(via);
  using listener = await listen({ via, port: 0, socket: { data() {} } });
  const peer = { via, hostname: "127.0.0.1", port: listener.port };
  const closed = createSocket("udp4");
  closed.close();
  // oxlint-disable typescript/no-unsafe-type-assertion -- what a program in JavaScript may give
  const refused: [string, () => unknown][] = [
    ["Bun.serve() needs", () => serve({ via, port: 0 } as never)],
    ["Bun.serve() needs", () => serveSync({ via, port: 0 } as never)],
    ["callback", () => listen({ via, port: 0, socket: {} })],
    ["callback", () => connect({ ...peer, socket: {} })],
    ["to be a function", () => udp({ via, socket: { data: 5 } } as never)],
    ["Not running", () => nodeBind(closed, { via })],
    ["Invalid URL", () => there("/path")],
    ["has no body", () => there("http://127.0.0.1:9/", { method: "GET", body: "text" })],
  ];
  for (const [words, call] of refused) {
    let thrown: unknown;
    try {
      await call();
    } catch (error) {
      thrown = error;
    }
    expect(String(thrown)).toContain(words);
    const [first] = /^ +at .*\(\/.*$/m.exec(String(Reflect.get(Object(thrown), "stack"))) ?? [];
    expect(first).toContain(import.meta.file);
  }
});

test("an option whose getter throws leaves no socket open", async () => {
  await using server = await startServer();
  const options = { via: server.path, hostname: "127.0.0.1", port: 0, socket: { data() {} } };
  Object.defineProperty(options, "tls", {
    enumerable: true,
    get(): never {
      throw new Error("read");
    },
  });
  expect(() => listenSync(options)).toThrow("read");
});

test("serve and udp take an empty hostname as none, and connect rejects it and missing handlers", async () => {
  await using server = await startServer();
  const place = { via: server.path, hostname: "", port: 0 };
  await using page = await serve({ ...place, fetch: () => new Response() });
  using socket = await udp(place);
  expect([page.hostname, socket.hostname]).toEqual(["localhost", "0.0.0.0"]);
  await expect(connect({ ...place, socket: { data() {} } })).rejects.toThrow("hostname is missing");
  const mute = Reflect.apply(connect, undefined, [{ ...place, hostname: "127.0.0.1" }]);
  await expect(mute).rejects.toThrow("socket is undefined");
});

/* What ss prints for a listening socket. */
const isV6Only = /v6only:1/;

describe.skipIf(!hasIpv6)("options take effect in", () => {
  test("serve", async () => {
    using dir = tempDir();
    const tls = await makeCertificate(dir.path, "web.test");
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

  test("nodeBind, those of createSocket included", async () => {
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
    const shared = { type: "udp4", reuseAddr: true } as const;
    const first = await nodeBind(createSocket(shared), { via: server.path });
    const again = { via: server.path, port: first.address().port };
    const second = await nodeBind(createSocket(shared), again);
    for (const socket of [one, two, first, second]) socket.close();
  });

  test("listen and connect", async () => {
    await using target = await createNamespace();
    await using server = await startServer({ place: target });
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
